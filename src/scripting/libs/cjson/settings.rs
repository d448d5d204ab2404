//! What a script can set of `cjson`, and the functions that set it.

use super::{
    super::{Fault, Kind, Stack},
    InvalidNumbers,
};

/// Nesting that encode and decode allow unless told otherwise.
const DEPTH_MAX: i32 = 1000;

/// Significant digits of an encoded number unless told otherwise; there cannot be more.
const PRECISION_MAX: i32 = 14;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether an array with too many holes becomes an object; it is refused otherwise.
    pub sparse_convert: bool,
    /// An array has too many holes when its highest index is more than this many times its elements; 0 never.
    pub sparse_ratio: i32,
    /// Up to this highest index holes do not matter.
    pub sparse_safe: i32,
    pub encode_depth_max: i32,
    pub decode_depth_max: i32,
    pub precision: i32,
    /// Whether the buffer is kept from one call to the next.
    pub keep_buffer: bool,
    pub encode_invalid: InvalidNumbers,
    /// Whether infinity, NaN, hexadecimal numbers and leading zeros are decoded.
    pub decode_invalid: bool,
    /// Whether decoded arrays are marked as such, so that empty ones are encoded as arrays again.
    pub mark_arrays: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: DEPTH_MAX,
            decode_depth_max: DEPTH_MAX,
            precision: PRECISION_MAX,
            keep_buffer: true,
            encode_invalid: InvalidNumbers::Refused,
            decode_invalid: true,
            mark_arrays: false,
        }
    }
}

/// A function that reads and sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Setting {
    SparseArray,
    EncodeDepth,
    DecodeDepth,
    Precision,
    KeepBuffer,
    EncodeInvalid,
    DecodeInvalid,
    MarkArrays,
}

const SWITCH: &[&str] = &["off", "on"];

impl Setting {
    /// Every setting by the name of its function.
    pub const ALL: &[(&str, Setting)] = &[
        ("encode_sparse_array", Setting::SparseArray),
        ("encode_max_depth", Setting::EncodeDepth),
        ("decode_max_depth", Setting::DecodeDepth),
        ("encode_number_precision", Setting::Precision),
        ("encode_keep_buffer", Setting::KeepBuffer),
        ("encode_invalid_numbers", Setting::EncodeInvalid),
        ("decode_invalid_numbers", Setting::DecodeInvalid),
        ("decode_array_with_array_mt", Setting::MarkArrays),
    ];

    /// Sets what the arguments say and pushes what then holds. An argument that is nil or missing sets nothing.
    pub fn call(self, settings: &mut Settings, stack: &mut impl Stack) -> Result<i32, Fault> {
        let arguments = if self == Setting::SparseArray { 3 } else { 1 };
        if stack.top() > arguments {
            return Err(Fault::Argument(arguments + 1, "found too many arguments".into()));
        }
        while stack.top() < arguments {
            stack.push_nil();
        }
        match self {
            Setting::SparseArray => {
                switch(stack, &mut settings.sparse_convert)?;
                integer(stack, 2, &mut settings.sparse_ratio, 0, i32::MAX)?;
                integer(stack, 3, &mut settings.sparse_safe, 0, i32::MAX)?;
            }
            Setting::EncodeDepth => integer(stack, 1, &mut settings.encode_depth_max, 1, i32::MAX)?,
            Setting::DecodeDepth => integer(stack, 1, &mut settings.decode_depth_max, 1, i32::MAX)?,
            Setting::Precision => integer(stack, 1, &mut settings.precision, 1, PRECISION_MAX)?,
            Setting::KeepBuffer => switch(stack, &mut settings.keep_buffer)?,
            Setting::EncodeInvalid => encode_invalid(stack, &mut settings.encode_invalid)?,
            Setting::DecodeInvalid => switch(stack, &mut settings.decode_invalid)?,
            Setting::MarkArrays => switch(stack, &mut settings.mark_arrays)?,
        }
        Ok(arguments)
    }
}

/// One of a few words, or true and false for the first two of them.
fn option(stack: &mut impl Stack, words: &[&str]) -> Result<Option<usize>, Fault> {
    match stack.kind(1) {
        Kind::Nil => Ok(None),
        Kind::Boolean => Ok(Some(usize::from(stack.boolean(1)))),
        kind => {
            let word = stack.text(1).ok_or_else(|| Fault::wrong_type(1, "string", kind))?;
            // What Lua compares with the words is a C string.
            let word = word.split(|&byte| byte == 0).next().unwrap_or(&[]);
            match words.iter().position(|other| other.as_bytes() == word) {
                Some(place) => Ok(Some(place)),
                None => Err(Fault::Argument(1, [b"invalid option '", word, b"'"].concat())),
            }
        }
    }
}

fn switch(stack: &mut impl Stack, setting: &mut bool) -> Result<(), Fault> {
    if let Some(place) = option(stack, SWITCH)? {
        *setting = place == 1;
    }
    stack.push_boolean(*setting);
    Ok(())
}

fn encode_invalid(stack: &mut impl Stack, setting: &mut InvalidNumbers) -> Result<(), Fault> {
    if let Some(place) = option(stack, &["off", "on", "null"])? {
        *setting = [InvalidNumbers::Refused, InvalidNumbers::Written, InvalidNumbers::Null][place];
    }
    match setting {
        InvalidNumbers::Refused => stack.push_boolean(false),
        InvalidNumbers::Written => stack.push_boolean(true),
        InvalidNumbers::Null => stack.push_bytes(b"null"),
    }
    Ok(())
}

fn integer(stack: &mut impl Stack, argument: i32, setting: &mut i32, min: i32, max: i32) -> Result<(), Fault> {
    let kind = stack.kind(argument);
    if kind != Kind::Nil {
        let value = stack.number(argument).ok_or_else(|| Fault::wrong_type(argument, "number", kind))?;
        // As C converts it on this processor: to 64 bits, of which the lower half counts; what does not fit is the least integer, of
        // which nothing is left.
        let value = if value >= -(2f64.powi(63)) && value < 2f64.powi(63) { value as i64 as i32 } else { 0 };
        if value < min || value > max {
            // The original names the first argument, whichever it is.
            return Err(Fault::Argument(1, format!("expected integer between {min} and {max}").into_bytes()));
        }
        *setting = value;
    }
    stack.push_number(f64::from(*setting));
    Ok(())
}
