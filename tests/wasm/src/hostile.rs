//! Modules that nobody meant: what must hold of them. The fuzz target and the bounded run of the ordinary tests share
//! this file.

use il::Module;
use wasm::{ErrorKind, Options, Unit};

/// Bytes are refused with a reason that can be shown, or become a valid module with one encoding; `script` says for what
/// it is translated.
///
/// # Errors
/// The reason, as it is shown.
pub fn translated(bytes: &[u8], script: bool) -> Result<il::verify::VerifiedModule, String> {
    let unit = Unit { name: "hostile", bytes };
    let module = match wasm::translate(&[unit], &Options { script, ..Options::default() }) {
        Ok(module) => module,
        Err(error) => {
            assert!(!matches!(error.kind, ErrorKind::Internal(_)), "validation excludes this: {error}");
            let text = error.to_string();
            assert!(!text.is_empty() && !text.contains('\u{1b}'), "an error that cannot be shown: {text:?}");
            return Err(text);
        }
    };
    let bytes = il::binary::encode(&module);
    let verified = il::verify(module).unwrap_or_else(|error| panic!("an invalid module was made: {error}"));
    assert_eq!(il::binary::decode(&bytes).as_ref(), Ok::<&Module, _>(&verified), "another module comes back");
    Ok(verified)
}
