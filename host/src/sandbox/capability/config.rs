use crate::sandbox::attempt::AttemptState;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

/// `wasi:config/store` as its last draft has it; toolchains name that version.
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wasi:config@0.2.0-rc.1;
            interface store {
                variant error { upstream(string), io(string) }
                get: func(key: string) -> result<option<string>, error>;
                get-all: func() -> result<list<tuple<string, string>>, error>;
            }
            world imports { import store; }
        ",
        imports: { default: trappable },
    });
}

use bindings::wasi::config::store::{Error, Host};

type Answer<T> = Result<std::result::Result<T, Error>>;

pub(super) fn add_to_linker(linker: &mut Linker<AttemptState>) -> Result<()> {
    bindings::wasi::config::store::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl Host for AttemptState {
    fn get(&mut self, key: String) -> Answer<Option<String>> {
        if !self.grants.config.contains(&key) {
            let why = format!(
                "denied: this handler has no grant `config` for this key; name it in handler.toml: \
                 config = [{}], and have the operator set it",
                serde_json::Value::from(key)
            );
            return Ok(Err(Error::Upstream(why)));
        }
        Ok(Ok(self.config.get(&key).map(str::to_owned)))
    }

    fn get_all(&mut self) -> Answer<Vec<(String, String)>> {
        let granted = self.grants.config.iter();
        let value = |key: &String| Some((key.clone(), self.config.get(key)?.to_owned()));
        Ok(Ok(granted.filter_map(value).collect()))
    }
}
