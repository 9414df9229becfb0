//! Calling NVML: each call is announced, and a failed one becomes a fault or the reason of a missing value.

use std::cell::RefCell;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper_sys::bindings as sys;

use crate::emit::enter;
use protocol::{Api, Fault, Field};

/// Calls a function that nvml-wrapper does not wrap.
pub fn raw<F, E: std::fmt::Display>(
    name: &str,
    symbol: &Result<F, E>,
    function: impl FnOnce(&F) -> sys::nvmlReturn_t,
) -> Result<(), Fault> {
    enter(name);
    let fault = |code, detail| Fault { api: Api::Nvml, call: name.to_owned(), code, name: None, detail };
    match symbol {
        Err(_) => Err(fault(None, "this driver's NVML has no such function".to_owned())),
        Ok(symbol) => match function(symbol) {
            0 => Ok(()),
            code => Err(fault(Some(i64::from(code)), error_text(code))),
        },
    }
    .inspect_err(remember_loss)
}

/// nvml-wrapper's text for a status; empty for one that it does not know.
fn error_text(code: sys::nvmlReturn_t) -> String {
    match nvml_wrapper::error::nvml_try(code) {
        Err(error) if !matches!(error, NvmlError::UnexpectedVariant(_)) => error.to_string(),
        _ => String::new(),
    }
}

/// Calls a function through nvml-wrapper.
pub fn call<T>(name: &str, ask: impl FnOnce() -> Result<T, NvmlError>) -> Result<T, Fault> {
    enter(name);
    ask().map_err(|error| fault(name, error)).inspect_err(remember_loss)
}

thread_local! {
    /// The first failure in this thread that means the GPU is lost.
    static LOST: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// NVML_ERROR_GPU_IS_LOST and NVML_ERROR_RESET_REQUIRED: other calls may still be answered from memory, but the
/// GPU is unusable.
fn remember_loss(fault: &Fault) {
    if matches!(fault.code, Some(15 | 16)) {
        LOST.with_borrow_mut(|lost| {
            lost.get_or_insert_with(|| fault.clone());
        });
    }
}

/// The first failure in this thread that means the GPU is lost, if there was one.
pub fn take_loss() -> Option<Fault> {
    LOST.take()
}

fn fault(name: &str, error: NvmlError) -> Fault {
    use NvmlError::*;
    // The wrapper's own errors have no NVML status; the conversion below would invent one.
    let own = matches!(
        error,
        Utf8Error(_)
            | NulError(_)
            | LibloadingError(_)
            | FailedToLoadSymbol(_)
            | StringTooLong { .. }
            | IncorrectBits(_)
            | SetReleaseFailed
            | GetPciInfoFailed
            | PciInfoToCFailed
    );
    let detail = if matches!(error, UnexpectedVariant(_)) { String::new() } else { error.to_string() };
    let code = (!own).then(|| i64::from(sys::nvmlReturn_t::from(error)));
    Fault { api: Api::Nvml, call: name.to_owned(), code, name: None, detail }
}

/// A value of NVML, or why it is unavailable.
pub fn field<T>(name: &str, ask: impl FnOnce() -> Result<T, NvmlError>) -> Field<T> {
    call(name, ask).map_or_else(unavailable, Field::Known)
}

pub fn unavailable<T>(fault: Fault) -> Field<T> {
    Field::Unavailable { unavailable: reason(&fault) }
}

/// NVML's error message and status, in one phrase.
pub fn reason(fault: &Fault) -> String {
    match (fault.code, fault.detail.as_str()) {
        (Some(code), "") => format!("NVML status {code}"),
        (Some(code), detail) => format!("{detail} (NVML status {code})"),
        (None, detail) => detail.to_owned(),
    }
}
