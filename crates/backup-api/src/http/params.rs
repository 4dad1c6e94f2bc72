//! Query parameters and path segments, each refused by name.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use crate::error::{ApiError, ApiResult};
use crate::http::body::check_text;

/// What a request's query parameters are read into.
pub(crate) trait FromParams: Sized {
    /// Takes the parameters it knows.
    fn from_params(params: &mut Params) -> ApiResult<Self>;
}

/// A request's query parameters as a `T`; a parameter that `T` does not know is refused.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: FromParams> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

/// Reads a query string; what `T` does not know is refused.
pub(crate) fn read<T: FromParams>(query: &str) -> ApiResult<T> {
    let mut params = Params::read(query)?;
    let value = T::from_params(&mut params)?;
    params.end()?;
    Ok(value)
}

/// No query parameters at all.
impl FromParams for () {
    fn from_params(_: &mut Params) -> ApiResult<Self> {
        Ok(())
    }
}

/// The query parameters of a request that are not yet taken.
pub(crate) struct Params {
    rest: Vec<(String, String)>,
    /// What was asked for: for the test that the document names the same.
    #[cfg(test)]
    pub(crate) asked: std::collections::BTreeSet<String>,
}

impl Params {
    /// All parameters of a query string; a repeated one is refused.
    pub(crate) fn read(query: &str) -> ApiResult<Self> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| ApiError::bad_request("request_invalid"))?
            .into_inner();
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(ApiError::field("parameter_repeated", name, "it is given twice"));
            }
        }
        Ok(Self {
            rest: pairs,
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        })
    }

    /// Takes a parameter as text.
    pub(crate) fn text(&mut self, name: &str, max: usize) -> ApiResult<Option<String>> {
        #[cfg(test)]
        self.asked.insert(name.to_owned());
        let Some(index) = self.rest.iter().position(|(other, _)| other == name) else {
            return Ok(None);
        };
        let (_, text) = self.rest.swap_remove(index);
        check_text(&text, max).map_err(|problem| invalid(name, problem))?;
        Ok(Some(text))
    }

    /// Takes a parameter as anything that reads from text, refused with `code`.
    pub(crate) fn take_or<T: FromStr<Err: Display>>(&mut self, name: &str, code: &'static str) -> ApiResult<Option<T>> {
        self.text(name, 100)?
            .map(|text| text.parse().map_err(|error| ApiError::field(code, name, error)))
            .transpose()
    }

    /// Takes a parameter as anything that reads from text.
    pub(crate) fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> ApiResult<Option<T>> {
        self.take_or(name, "parameter_invalid")
    }

    /// Takes a whole number within `min` and `max`.
    pub(crate) fn number(&mut self, name: &str, min: u64, max: u64, default: u64) -> ApiResult<u64> {
        let Some(text) = self.text(name, 100)? else {
            return Ok(default);
        };
        // Digits alone: `u64::from_str` would take a leading plus sign too.
        let number = text
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten();
        match number {
            Some(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(invalid(
                name,
                format!("'{text}' is not a whole number from {min} to {max}"),
            )),
        }
    }

    /// Takes `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> ApiResult<bool> {
        Ok(self.take(name)?.unwrap_or(false))
    }

    /// Takes a moment: RFC 3339, or a date in UTC, which stands for its first moment, or its last where `end_of_day`.
    pub(crate) fn moment(&mut self, name: &str, end_of_day: bool) -> ApiResult<Option<DateTime<Utc>>> {
        self.text(name, 100)?
            .map(|text| {
                parse_moment(&text, end_of_day).ok_or_else(|| {
                    invalid(
                        name,
                        format!("'{text}' is neither an RFC 3339 time nor a date YYYY-MM-DD"),
                    )
                })
            })
            .transpose()
    }

    /// Takes the two ends of a span of time, either of which may be open.
    pub(crate) fn span(&mut self, from: &str, to: &str) -> ApiResult<Span> {
        let span = (self.moment(from, false)?, self.moment(to, true)?);
        match span {
            (Some(begin), Some(end)) if begin > end => {
                Err(ApiError::field("span_reversed", from, format!("it lies after {to}")))
            }
            _ => Ok(span),
        }
    }

    /// Takes the number of entries of a page, and how many stand before it.
    pub(crate) fn page(&mut self, limit: u64, max: u64) -> ApiResult<(u32, u64)> {
        let limit = self.number("limit", 1, max, limit)?;
        Ok((limit as u32, self.number("offset", 0, i64::MAX as u64, 0)?))
    }

    /// Refuses what was not taken.
    pub(crate) fn end(self) -> ApiResult<()> {
        match self.rest.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::field("parameter_unknown", name, "no such parameter")),
        }
    }
}

/// Two ends of a span of time; `None`: open.
pub(crate) type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

fn invalid(name: &str, problem: impl Display) -> ApiError {
    ApiError::field("parameter_invalid", name, problem)
}

fn parse_moment(text: &str, end_of_day: bool) -> Option<DateTime<Utc>> {
    let moment = if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        moment.with_timezone(&Utc)
    } else {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|_| text.len() == 10)?;
        let time = if end_of_day {
            NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)?
        } else {
            NaiveTime::MIN
        };
        date.and_time(time).and_utc()
    };
    // What both catalogs can compare.
    ((0..=9999).contains(&chrono::Datelike::year(&moment))).then_some(moment)
}

/// A path segment as an identifier; what is none identifies nothing, which `missing` says.
pub(crate) fn path_id<Id: FromStr>(request: &HttpRequest, missing: &'static str) -> ApiResult<Id> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse().map_err(|_| ApiError::not_found(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> ApiResult<Params> {
        Params::read(query)
    }

    #[test]
    fn a_date_is_a_whole_day() {
        let read = |query: &str, end| {
            params(query)
                .unwrap()
                .moment("d", end)
                .map(|moment| moment.unwrap().to_rfc3339())
        };
        assert_eq!(read("d=2026-11-23", false).unwrap(), "2026-11-23T00:00:00+00:00");
        assert_eq!(read("d=2026-11-23", true).unwrap(), "2026-11-23T23:59:59.999999+00:00");
        assert_eq!(
            read("d=2026-11-23T08:00:00%2B08:00", true).unwrap(),
            "2026-11-23T00:00:00+00:00"
        );
        for wrong in ["2026-11-31", "23.11.2026", "2026-1-1", "", "now", "+99999-01-01"] {
            assert!(read(&format!("d={wrong}"), false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_does_not_end_before_it_begins() {
        let read = |query: &str| params(query).unwrap().span("from", "to");
        assert_eq!(read("").unwrap(), (None, None));
        assert!(read("from=2026-11-23&to=2026-11-23").is_ok());
        assert!(read("from=2026-11-23").is_ok() && read("to=2026-11-23").is_ok());
        let refused = read("from=2026-11-24&to=2026-11-23").unwrap_err();
        assert_eq!(refused.code(), "span_reversed");
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let read = |query: &str| params(query).unwrap().number("n", 1, 200, 20);
        assert_eq!(read("").unwrap(), 20);
        assert_eq!(read("n=200").unwrap(), 200);
        for wrong in ["0", "201", "-1", "%2B5", "1.5", "", "99999999999999999999"] {
            assert!(read(&format!("n={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_unknown_or_repeated_is_refused() {
        assert_eq!(params("a=1&a=2").err().unwrap().code(), "parameter_repeated");
        let mut known = params("a=1&staus=x").unwrap();
        known.text("a", 9).unwrap();
        assert_eq!(known.end().unwrap_err().code(), "parameter_unknown");
        assert!(params("q=%00").unwrap().text("q", 9).is_err());
    }
}
