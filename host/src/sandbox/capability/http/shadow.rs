//! Functions of `wasi:http` and `wasi:io` that stand in front of wasmtime's own: to count the header fields
//! that a guest has this process keep, and to say of a broken body why it broke.

use crate::sandbox::attempt::AttemptState;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_http::p2::HeaderResult;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HeaderError, HostFields, IoError};
use wasmtime_wasi_http::{Error, FieldMap};

/// As wasmtime's linker has them; what a component imports need only be of the same 0.2.
const TYPES: &str = "wasi:http/types@0.2.12";
const IO_ERROR: &str = "wasi:io/error@0.2.12";
/// What a field, or a map of them, costs beside its text.
const OVERHEAD_BYTES: usize = 96;

type Fields = Resource<FieldMap>;
type Store<'a> = StoreContextMut<'a, AttemptState>;

/// Replaces what is already linked.
pub(super) fn add_to_linker(linker: &mut Linker<AttemptState>) -> Result<()> {
    linker.allow_shadowing(true);
    let done = fields(linker).and_then(|()| errors(linker));
    linker.allow_shadowing(false);
    done
}

fn fields(linker: &mut Linker<AttemptState>) -> Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[constructor]fields", |mut store: Store<'_>, (): ()| {
        store.data_mut().keep_fields(OVERHEAD_BYTES)?;
        Ok((HostFields::new(&mut store.data_mut().outgoing())?,))
    })?;
    types.func_wrap(
        "[static]fields.from-list",
        |mut store: Store<'_>, (entries,): (Vec<(String, Vec<u8>)>,)| {
            let bytes = entries.iter().map(|(name, value)| cost(name, value.len())).sum::<usize>();
            store.data_mut().keep_fields(OVERHEAD_BYTES + bytes)?;
            answered(HostFields::from_list(&mut store.data_mut().outgoing(), entries))
        },
    )?;
    types.func_wrap(
        "[method]fields.set",
        |mut store: Store<'_>, (fields, name, values): (Fields, String, Vec<Vec<u8>>)| {
            store.data_mut().keep_fields(values.iter().map(|value| cost(&name, value.len())).sum())?;
            answered(HostFields::set(&mut store.data_mut().outgoing(), fields, name, values))
        },
    )?;
    types.func_wrap(
        "[method]fields.append",
        |mut store: Store<'_>, (fields, name, value): (Fields, String, Vec<u8>)| {
            store.data_mut().keep_fields(cost(&name, value.len()))?;
            answered(HostFields::append(&mut store.data_mut().outgoing(), fields, name, value))
        },
    )?;
    types.func_wrap("[method]fields.clone", |mut store: Store<'_>, (fields,): (Fields,)| {
        let view = store.data_mut().outgoing();
        let entries = view.table.get(&fields)?;
        let bytes = entries.iter().map(|(name, value)| cost(name.as_str(), value.len())).sum::<usize>();
        store.data_mut().keep_fields(OVERHEAD_BYTES + bytes)?;
        Ok((HostFields::clone(&mut store.data_mut().outgoing(), fields)?,))
    })
}

fn cost(name: &str, value_bytes: usize) -> usize {
    name.len() + value_bytes + OVERHEAD_BYTES
}

/// An error that is the guest's to handle is an answer; any other is a trap.
fn answered<T>(result: HeaderResult<T>) -> Result<(Result<T, HeaderError>,)> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

fn errors(linker: &mut Linker<AttemptState>) -> Result<()> {
    linker.instance(TYPES)?.func_wrap(
        "http-error-code",
        |mut store: Store<'_>, (error,): (Resource<IoError>,)| {
            let view = store.data_mut().outgoing();
            let error = view.table.get(&error)?;
            let body = error.downcast_ref::<Error>().and_then(code);
            Ok((body.or_else(|| error.downcast_ref::<ErrorCode>().cloned()),))
        },
    )?;
    // wasmtime's own shows a backtrace of this process.
    linker.instance(IO_ERROR)?.func_wrap(
        "[method]error.to-debug-string",
        |mut store: Store<'_>, (error,): (Resource<IoError>,)| {
            let view = store.data_mut().outgoing();
            Ok((format!("{:#}", view.table.get(&error)?),))
        },
    )
}

/// The codes with which a body may break; wasmtime keeps its own list to itself.
fn code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::HttpResponseBodySize(bytes) => Some(ErrorCode::HttpResponseBodySize(*bytes)),
        Error::HttpRequestBodySize(bytes) => Some(ErrorCode::HttpRequestBodySize(*bytes)),
        Error::HttpResponseHeaderSectionSize(bytes) => Some(ErrorCode::HttpResponseHeaderSectionSize(*bytes)),
        Error::HttpResponseTimeout => Some(ErrorCode::HttpResponseTimeout),
        Error::HttpResponseIncomplete => Some(ErrorCode::HttpResponseIncomplete),
        Error::HttpProtocolError => Some(ErrorCode::HttpProtocolError),
        Error::ConnectionReadTimeout => Some(ErrorCode::ConnectionReadTimeout),
        Error::ConnectionTerminated => Some(ErrorCode::ConnectionTerminated),
        _ => None,
    }
}
