//! JSON bodies, read field by field, so that each refusal names the field and has its own code.

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::app::Api;
use crate::error::{ApiError, ApiResult};

/// Bytes a JSON body may have.
const MAX_BODY: usize = 64 * 1024;

/// The longest list in a body.
const MAX_LIST: usize = 1000;

/// What a request's JSON object is read into. No body is the empty object.
pub(crate) trait FromFields: Sized {
    /// Takes the fields it knows.
    fn from_fields(fields: &mut Fields) -> ApiResult<Self>;
}

/// A request's body as a `T`; a field that `T` does not know is refused.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: FromFields + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = request.content_type().eq_ignore_ascii_case("application/json");
        let bytes = web::Payload::from_request(request, payload);
        let api = request.app_data::<web::Data<Api>>().cloned();
        Box::pin(async move {
            let bytes = bytes
                .await
                .map_err(|error| ApiError::bad_request("request_invalid").because(error.to_string()))?;
            let api = api.ok_or_else(|| ApiError::internal("the server has no state"))?;
            // Who sends it slowly may be nobody known, and holds a connection meanwhile.
            let bytes = tokio::time::timeout(api.settings.body_timeout, bytes.to_bytes_limited(MAX_BODY))
                .await
                .map_err(|_| ApiError::bad_request("request_invalid").because("the body came too slowly"))?
                .map_err(|_| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"))?
                .map_err(|error| ApiError::bad_request("request_invalid").because(error.to_string()))?;
            if bytes.is_empty() {
                return read(Map::new()).map(Self);
            }
            if !is_json {
                return Err(ApiError::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "content_type_unsupported",
                ));
            }
            let Object(object) = serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::bad_request("body_invalid").details(Value::from(error.to_string())))?;
            read(object).map(Self)
        })
    }
}

/// The body of what needs none: nothing, or an empty object.
pub(crate) type NoBody = Body<()>;

impl FromFields for () {
    fn from_fields(_: &mut Fields) -> ApiResult<Self> {
        Ok(())
    }
}

/// Reads a JSON object; what `T` does not know is refused.
pub(crate) fn read<T: FromFields>(object: Map<String, Value>) -> ApiResult<T> {
    let mut fields = Fields::new(object);
    let value = T::from_fields(&mut fields)?;
    match fields.rest.keys().next() {
        None => Ok(value),
        Some(unknown) => Err(ApiError::field("field_unknown", unknown, "no such field")),
    }
}

/// What a field of a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Change<T> {
    /// It is absent: what is there stays.
    #[default]
    Keep,
    /// It is `null` or blank: what is there goes.
    Clear,
    /// It has a value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether anything is asked for.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// Does what is asked for.
    pub(crate) fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *to = None,
            Self::Set(value) => *to = Some(value),
        }
    }

    /// The same for what has a default instead of nothing.
    pub(crate) fn apply_or(self, default: T, to: &mut T) {
        match self {
            Self::Keep => {}
            Self::Clear => *to = default,
            Self::Set(value) => *to = value,
        }
    }
}

/// The fields of a JSON object that are not yet taken.
pub(crate) struct Fields {
    rest: Map<String, Value>,
    /// What was asked for: for the test that the document names the same.
    #[cfg(test)]
    pub(crate) asked: std::collections::BTreeSet<String>,
}

impl Fields {
    /// The fields of this object.
    pub(crate) fn new(object: Map<String, Value>) -> Self {
        Self {
            rest: object,
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        }
    }

    /// Takes a field; absent and `null` are the same.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str, code: &'static str) -> ApiResult<Option<T>> {
        #[cfg(test)]
        self.asked.insert(name.to_owned());
        match self.rest.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| ApiError::field(code, name, error)),
        }
    }

    /// Takes a field of a change, by `read`.
    pub(crate) fn change<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> ApiResult<Option<T>>,
    ) -> ApiResult<Change<T>> {
        let is_there = self.rest.contains_key(name);
        Ok(match read(self)? {
            Some(value) => Change::Set(value),
            None if is_there => Change::Clear,
            None => Change::Keep,
        })
    }

    /// Takes a field that is an object.
    pub(crate) fn object<T: FromFields>(&mut self, name: &str) -> ApiResult<Option<T>> {
        self.take::<Map<String, Value>>(name, "field_invalid")?
            .map(|object| read(object).map_err(|error| error.within(name)))
            .transpose()
    }

    /// Takes a field that must be there.
    pub(crate) fn require<T: DeserializeOwned>(&mut self, name: &str, code: &'static str) -> ApiResult<T> {
        self.take(name, code)?
            .ok_or_else(|| ApiError::field("field_missing", name, "it is required"))
    }

    /// Takes a field of a change, by `read`: an absent one leaves what is there, and a blank one is refused.
    pub(crate) fn given<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> ApiResult<Option<T>>,
    ) -> ApiResult<Option<T>> {
        let is_given = self.rest.get(name).is_some_and(|value| !value.is_null());
        match read(self)? {
            Some(value) => Ok(Some(value)),
            None if !is_given => Ok(None),
            None => Err(ApiError::field("field_invalid", name, "it cannot be empty")),
        }
    }

    /// Takes a whole number within `range`.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self, name: &str, range: RangeInclusive<u64>) -> ApiResult<Option<T>> {
        let Some(value) = self.take::<Value>(name, "field_invalid")? else {
            return Ok(None);
        };
        let number = whole(&value).filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| {
                let (least, greatest) = range.into_inner();
                let problem = format!("it must be a whole number from {least} to {greatest}");
                ApiError::field("field_invalid", name, problem)
            })
    }

    /// Takes a truth value.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> ApiResult<bool> {
        Ok(self.take(name, "field_invalid")?.unwrap_or(default))
    }

    /// Takes a text of at most `max` characters, trimmed; a blank one counts as absent.
    pub(crate) fn text(&mut self, name: &str, max: usize) -> ApiResult<Option<String>> {
        let Some(text) = self.take::<String>(name, "field_invalid")? else {
            return Ok(None);
        };
        check_text(&text, max).map_err(|problem| ApiError::field("field_invalid", name, problem))?;
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// Takes a list of texts of at most `max` characters each; absent and empty are the same.
    pub(crate) fn texts(&mut self, name: &str, max: usize) -> ApiResult<Vec<String>> {
        Ok(self.given_texts(name, max)?.unwrap_or_default())
    }

    /// The same where absent is not empty.
    pub(crate) fn given_texts(&mut self, name: &str, max: usize) -> ApiResult<Option<Vec<String>>> {
        let Some(texts) = self.take::<Vec<String>>(name, "field_invalid")? else {
            return Ok(None);
        };
        let refuse = |problem| ApiError::field("field_invalid", name, problem);
        if texts.len() > MAX_LIST {
            return Err(refuse(format!("it has more than {MAX_LIST} entries")));
        }
        for text in &texts {
            check_text(text, max).map_err(refuse)?;
            if text.is_empty() {
                return Err(refuse("it has an empty entry".to_owned()));
            }
        }
        Ok(Some(texts))
    }
}

/// A JSON number that is whole and not negative. JSON has one kind of number: 5.0 is 5.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    let fraction = || {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && number >= 0.0).then_some(number as u64)
    };
    value.as_u64().or_else(fraction)
}

/// A range of the domain as [`Fields::number`] takes it.
pub(crate) fn number_within(range: &RangeInclusive<u32>) -> RangeInclusive<u64> {
    u64::from(*range.start())..=u64::from(*range.end())
}

/// A JSON object that names no field twice: which of the two counted, nobody could tell.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a field is given twice"));
                    }
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// What makes a text unfit for the catalog: too long, or a NUL, which PostgreSQL cannot store.
pub(crate) fn check_text(text: &str, max: usize) -> Result<(), String> {
    if text.contains('\0') {
        return Err("it has a NUL character".to_owned());
    }
    if text.chars().count() > max {
        return Err(format!("it has more than {max} characters"));
    }
    Ok(())
}
