use wasmparser::{
    FuncValidatorAllocations, Parser, Result, ValidPayload, Validator, WasmFeatures, types::Types,
};

/// Checks all that the compiler checks before it compiles, function bodies included.
pub(in crate::sandbox) fn types(bytes: &[u8], features: WasmFeatures) -> Result<Option<Types>> {
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let mut types = None;
    let mut parser = Parser::new(0);
    parser.set_features(features);
    for payload in parser.parse_all(bytes) {
        match validator.payload(&payload?)? {
            ValidPayload::Func(function, body) => {
                let mut checker = function.into_validator(allocations);
                checker.validate(&body)?;
                allocations = checker.into_allocations();
            }
            // Nested ones end first, the component itself last.
            ValidPayload::End(ended) => types = Some(ended),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    Ok(types)
}
