//! A value as it stands in a text, and as it is printed again.

use std::fmt;
use toml::de::DeValue;

/// What stands behind `KEY=` where nothing does.
pub(crate) const NOTHING: Value = Value::Other("nothing");

/// A value of any key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Decimal(f64),
    Text(String),
    Flag(bool),
    List(Vec<Value>),
    /// What no key expects, in words.
    Other(&'static str),
}

impl Value {
    pub(crate) fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Self::Other("a number beyond all range"), Self::Whole),
            DeValue::Float(digits) => {
                digits.as_str().parse().map_or(Self::Other("a number beyond all range"), Self::Decimal)
            }
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Array(items) => Self::List(items.iter().map(|item| Self::of(item.get_ref())).collect()),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    /// The kind of it, in words.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Whole(_) => "a number",
            Self::Decimal(_) => "a number with a fraction",
            Self::Text(_) => "text",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }

    /// NaN where it is not a number, so that it compares with nothing.
    pub(crate) fn as_number(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Decimal(number) => *number,
            _ => f64::NAN,
        }
    }

    /// Empty where it is not text.
    pub(crate) fn as_text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// Nothing where it is not a list.
    pub(crate) fn as_list(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

/// As TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            // With its point, so that it stays a decimal.
            Self::Decimal(number) => write!(f, "{number:?}"),
            Self::Text(text) => quote(text, f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// A basic string of TOML.
fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            _ if character.is_control() => write!(f, "\\u{:04X}", character as u32)?,
            _ => write!(f, "{character}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was_printed(text in any::<String>()) {
            let value = Value::Text(text);
            let printed = value.to_string();
            prop_assert_eq!(Value::of(DeValue::parse(&printed).unwrap().get_ref()), value);
        }

        #[test]
        fn any_number_and_list_is_read_back_as_it_was_printed(whole in any::<i64>(), decimal in -1e9..1e9) {
            let value = Value::List(vec![Value::Whole(whole), Value::Decimal(decimal), Value::Flag(true)]);
            let printed = value.to_string();
            prop_assert_eq!(Value::of(DeValue::parse(&printed).unwrap().get_ref()), value);
        }
    }
}
