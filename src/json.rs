//! JSON in, small: text becomes a tree of values, and values become types. A struct is given its fields in the
//! order in which it declares them, so that of the two readers that serde derives for each type, by position and
//! by key, only the small one is in the program: serde_json's own has both, which was 0.1 MB more.
//! Keys that a type does not know are passed over, also where the type would refuse them.
//!
//! Both programs use it; `event.rs` needs it for values that may be absent.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::{Error, Map, Value};

pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    from_value(serde_json::from_slice(bytes)?)
}

pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Node(Some(value)))
}

/// A value, or what stands for a field that is missing: a value that may be absent is, then.
struct Node(Option<Value>);

impl Node {
    #[inline(never)]
    fn wrong(&self, wanted: &dyn serde::de::Expected) -> Error {
        let found = match &self.0 {
            None => Unexpected::Other("nothing"),
            Some(Value::Null) => Unexpected::Unit,
            Some(Value::Bool(value)) => Unexpected::Bool(*value),
            Some(Value::Number(_)) => Unexpected::Other("number"),
            Some(Value::String(value)) => Unexpected::Str(value),
            Some(Value::Array(_)) => Unexpected::Seq,
            Some(Value::Object(_)) => Unexpected::Map,
        };
        Error::invalid_type(found, wanted)
    }
}

macro_rules! same {
    ($what:ident: $($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$what(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            None => Err(self.wrong(&visitor)),
            Some(Value::Null) => visitor.visit_unit(),
            Some(Value::Bool(value)) => visitor.visit_bool(value),
            Some(Value::Number(_)) => self.deserialize_f64(visitor),
            Some(Value::String(value)) => visitor.visit_string(value),
            Some(Value::Array(values)) => visitor.visit_seq(Items(values.into_iter())),
            Some(Value::Object(values)) => visitor.visit_map(Pairs::new(values)),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(Value::Number(number)) = &self.0 else { return Err(self.wrong(&visitor)) };
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(value), ..) => visitor.visit_u64(value),
            (None, Some(value), _) => visitor.visit_i64(value),
            (None, None, Some(value)) => visitor.visit_f64(value),
            (None, None, None) => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(Value::Bool(value)) => visitor.visit_bool(value),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(Value::String(value)) => visitor.visit_string(value),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            None | Some(Value::Null) => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(Value::Null) => visitor.visit_unit(),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(Value::Array(values)) => visitor.visit_seq(Items(values.into_iter())),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            // One that is too short is the visitor's to refuse.
            Some(Value::Array(values)) if values.len() > length => {
                Err(Error::invalid_length(values.len(), &visitor))
            }
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(Value::Object(values)) => visitor.visit_map(Pairs::new(values)),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(Value::Object(values)) = self.0 else { return Err(self.wrong(&visitor)) };
        let mut given = Fields { values, fields: fields.iter(), missing: None };
        let read = visitor.visit_seq(&mut given);
        read.map_err(|error| given.missing.map_or(error, Error::missing_field))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, value) = match self.0 {
            Some(Value::String(name)) => (name, None),
            Some(Value::Object(values)) if values.len() == 1 => {
                let pair = values.into_iter().next().expect("there is one");
                (pair.0, Some(pair.1))
            }
            _ => return Err(self.wrong(&visitor)),
        };
        visitor.visit_enum(Variant { name, value })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'de>>
        bytes byte_buf unit_struct tuple_struct i128 u128
    }

    // Numbers are one kind, and so are texts: the visitor knows what it takes.
    same! { deserialize_f64: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 }
    same! { deserialize_f64: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 }
    same! { deserialize_str: deserialize_char deserialize_string deserialize_identifier }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    #[inline(never)]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.0.next().map(|value| seed.deserialize(Node(Some(value)))).transpose()
    }
}

/// The values of an object in the order of a struct's fields.
struct Fields {
    values: Map<String, Value>,
    fields: std::slice::Iter<'static, &'static str>,
    /// The last one that was not there, and may not be absent.
    missing: Option<&'static str>,
}

impl<'de> SeqAccess<'de> for &mut Fields {
    type Error = Error;

    // One for each type, and not one for each field of it.
    #[inline(never)]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.missing = None;
        let Some(name) = self.fields.next() else { return Ok(None) };
        let value = self.values.remove(*name);
        let is_there = value.is_some();
        match seed.deserialize(Node(value)) {
            Ok(value) => Ok(Some(value)),
            // A tree has no lines to name: the way to the place is named instead.
            Err(error) if is_there => Err(at(name, &error)),
            // The struct has a default for it, or refuses.
            Err(_) => {
                self.missing = Some(name);
                Ok(None)
            }
        }
    }
}

struct Pairs {
    pairs: serde_json::map::IntoIter,
    value: Value,
    key: String,
}

impl Pairs {
    fn new(map: Map<String, Value>) -> Self {
        Pairs { pairs: map.into_iter(), value: Value::Null, key: String::new() }
    }
}

impl<'de> MapAccess<'de> for Pairs {
    type Error = Error;

    #[inline(never)]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.value = value;
        self.key.clone_from(&key);
        seed.deserialize(Node(Some(Value::String(key)))).map(Some)
    }

    #[inline(never)]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Node(Some(self.value.take()))).map_err(|error| at(&self.key, &error))
    }
}

#[inline(never)]
fn at(key: &str, error: &dyn fmt::Display) -> Error {
    Error::custom(format_args!("{key}: {error}"))
}

struct Variant {
    name: String,
    value: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Content;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content), Error> {
        let name: StringDeserializer<Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.value)))
    }
}

struct Content(Option<Value>);

impl<'de> VariantAccess<'de> for Content {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            value => Err(Node(value).wrong(&"a variant without a value")),
        }
    }

    #[inline(never)]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Node(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        Node(self.0).deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Node(self.0).deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Unit,
        New(u8),
        Pair(i64, f32),
        Struct { a: Option<bool> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        kinds: Vec<Kind>,
        map: BTreeMap<String, (u32, i32)>,
        #[serde(default)]
        absent: Option<String>,
        text: String,
        big: u64,
        deep: Box<Option<f64>>,
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all = All {
            kinds: vec![
                Kind::Unit,
                Kind::New(7),
                Kind::Pair(-3, 0.5),
                Kind::Struct { a: Some(true) },
                Kind::Struct { a: None },
            ],
            map: BTreeMap::from([("a".to_owned(), (1, -1)), (String::new(), (u32::MAX, i32::MIN))]),
            absent: None,
            text: "\u{1f980} \"x\"".to_owned(),
            big: u64::MAX,
            deep: Box::new(Some(0.1)),
        };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(from_slice::<All>(text.as_bytes()).unwrap(), all);
        let more = text.replacen('{', "{\"unknown\": [1, {}], ", 1);
        assert_eq!(from_slice::<All>(more.as_bytes()).unwrap(), all);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (text, words) in [
            ("{\"kinds\": [\"nothing\"]}", "kinds: unknown variant `nothing`"),
            ("{\"kinds\": [{\"new\": 300}]}", "kinds: invalid value: integer `300`, expected u8"),
            ("{\"kinds\": [{\"pair\": [1, 2, 3]}]}", "kinds: invalid length 3"),
            ("{\"kinds\": [{\"pair\": [1]}]}", "kinds: invalid length 1"),
            ("{\"kinds\": [{\"new\": 1, \"unit\": 1}]}", "kinds: invalid type: map"),
            ("{\"kinds\": [], \"map\": {\"x\": true}}", "map: x: invalid type: boolean `true`"),
            (
                "{\"kinds\": [], \"map\": {}, \"text\": \"\", \"big\": -1}",
                "big: invalid value: integer `-1`, expected u64",
            ),
            ("[[], {}, null, \"\", 1, null]", "invalid type: sequence, expected struct All"),
            ("{}", "missing field `kinds`"),
            ("{\"kinds\": [], \"map\": {}}", "missing field `text`"),
            ("{\"kinds\": [], \"map\": {}, \"text\": 1}", "text: invalid type: number, expected a string"),
            ("{\"kinds\": [{\"struct\": {\"a\": 1}}]}", "kinds: a: invalid type: number"),
            ("{", "EOF while parsing"),
        ] {
            let error = from_slice::<All>(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
