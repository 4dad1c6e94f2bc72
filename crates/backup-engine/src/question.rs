//! Asking what may never answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Comes to be when it is answered.
type Answer<T> = watch::Receiver<Option<T>>;

/// A question that is not asked again while it is open: one to a disk that hangs holds a thread for as long as that hangs,
/// and with a new one each time there would soon be none left for the catalog.
pub(crate) struct Question<T>(Mutex<Option<Answer<T>>>);

impl<T> Default for Question<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone + Send + Sync + 'static> Question<T> {
    /// The answer to the question that is open, or else to `question`. Whoever no longer waits leaves it open.
    ///
    /// # Errors
    /// In words, where there is no answer within `patience`.
    pub(crate) async fn ask(
        &self,
        patience: Duration,
        question: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let mut answer = self.open(question);
        if timeout(patience, answer.changed()).await.is_err() {
            return Err(format!("it does not answer within {} s", patience.as_secs()));
        }
        let told = answer.borrow().clone();
        told.ok_or_else(|| "asking it broke down".to_owned())
    }

    /// The question that is open, or a new one. What was answered while nobody asked is no news.
    fn open(&self, question: impl Future<Output = T> + Send + 'static) -> Answer<T> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = &*last
            && matches!(answer.has_changed(), Ok(false))
        {
            return answer.clone();
        }
        let (told, answer) = watch::channel(None);
        tokio::spawn(async move {
            let answer = question.await;
            told.send_replace(Some(answer));
        });
        last.insert(answer).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    /// Answers when it is told to, with how often it was asked.
    #[derive(Clone, Default)]
    struct Hanging {
        asked: Arc<AtomicU32>,
        wakes: Arc<Notify>,
    }

    impl Hanging {
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }

        async fn answer(self) -> u32 {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            self.wakes.notified().await;
            number
        }
    }

    #[tokio::test]
    async fn what_does_not_answer_is_asked_once_however_often_somebody_asks() {
        let (question, hanging) = (Question::default(), Hanging::default());
        for _ in 0..5 {
            let silence = question.ask(SHORT, hanging.clone().answer()).await.unwrap_err();
            assert!(silence.contains("does not answer"), "{silence}");
        }
        assert_eq!(hanging.asked(), 1);
        // All who wait then are told the same, and whoever comes later asks anew.
        let wake = async {
            tokio::time::sleep(SHORT).await;
            hanging.wakes.notify_one();
        };
        let ask = || question.ask(LONG, hanging.clone().answer());
        let (first, second, ()) = tokio::join!(ask(), ask(), wake);
        assert_eq!((first, second, hanging.asked()), (Ok(1), Ok(1), 1));
        hanging.wakes.notify_one();
        assert_eq!(ask().await, Ok(2));
    }

    #[tokio::test]
    async fn what_was_answered_while_nobody_asked_is_no_news() {
        let (question, hanging) = (Question::default(), Hanging::default());
        question.ask(SHORT, hanging.clone().answer()).await.unwrap_err();
        hanging.wakes.notify_one();
        tokio::time::sleep(SHORT).await;
        hanging.wakes.notify_one();
        assert_eq!(question.ask(LONG, hanging.clone().answer()).await, Ok(2));
    }

    async fn break_down() -> u32 {
        tokio::task::yield_now().await;
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_question_that_breaks_down_is_none_that_is_open() {
        let question = Question::default();
        let broken = question.ask(LONG, break_down()).await;
        assert_eq!(broken, Err("asking it broke down".to_owned()));
        assert_eq!(question.ask(LONG, async { 1 }).await, Ok(1));
    }
}
