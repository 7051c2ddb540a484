//! What programs on the parent OS share: the hosted platform, and where imported modules come from.

pub mod platform;
pub mod source;
