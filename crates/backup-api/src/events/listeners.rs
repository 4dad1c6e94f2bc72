//! How many streams of events are open, and whose they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};

use crate::error::{ApiError, ApiResult};

/// Streams of one person.
const OF_ONE: usize = 16;

/// Streams of all: far fewer than the connections that a thread serves, so that the probes are answered.
const OF_ALL: usize = 128;

/// The streams that are open, by whose they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listeners(Arc<Mutex<HashMap<String, usize>>>);

/// One stream among them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    listeners: Listeners,
    whose: String,
}

impl Listeners {
    /// A place for one more stream.
    ///
    /// # Errors
    /// 429 where `whose` are too many already, or those of all.
    pub(crate) fn admit(&self, whose: String) -> ApiResult<Place> {
        let mut open = self.open();
        let theirs = open.get(&whose).copied().unwrap_or_default();
        if theirs >= OF_ONE || open.values().sum::<usize>() >= OF_ALL {
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams")
                .header(header::RETRY_AFTER, HeaderValue::from_static("15")));
        }
        open.insert(whose.clone(), theirs + 1);
        Ok(Place {
            listeners: self.clone(),
            whose,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.listeners.open();
        if let Some(theirs) = open.get_mut(&self.whose) {
            *theirs -= 1;
            if *theirs == 0 {
                open.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_one_nor_all_have_more_streams_than_they_may() {
        let listeners = Listeners::default();
        let mut places = Vec::new();
        for number in 0..OF_ALL / OF_ONE {
            let whose = number.to_string();
            places.extend((0..OF_ONE).map(|_| listeners.admit(whose.clone()).unwrap()));
            assert_eq!(listeners.admit(whose).unwrap_err().code(), "too_many_streams");
        }
        assert!(listeners.admit("another".to_owned()).is_err(), "all have too many");
        places.pop();
        let place = listeners.admit("another".to_owned()).unwrap();
        assert!(listeners.admit("one more".to_owned()).is_err());
        places.clear();
        drop(place);
        assert!(listeners.open().is_empty(), "nobody who has gone is kept");
    }
}
