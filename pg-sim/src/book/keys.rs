//! Answers kept for idempotency keys. As at Toss the scope of a key is method and URL, not the body: the same key with another
//! body gets the first answer.

use std::collections::HashMap;

use crate::exchange::Answer;

/// Keys kept at once, about 1.5 KB each. The oldest are not dropped, because a dropped key would act twice: a full store refuses.
const KEYS_MAX: usize = 400_000;

/// What a key is good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) key: String,
}

/// What is known of a key.
#[derive(Clone, Debug)]
pub(crate) enum KeyState {
    /// Never seen; it is taken now.
    Fresh,
    /// Its first request still runs.
    Running,
    /// Its first answer.
    Answered(Answer),
    /// No room for another key.
    Full,
}

/// Every key.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    answers: HashMap<Scope, Option<Answer>>,
}

impl Keys {
    /// Takes a key that was never seen, or says what became of it.
    pub(crate) fn begin(&mut self, scope: &Scope) -> KeyState {
        match self.answers.get(scope) {
            Some(Some(answer)) => KeyState::Answered(answer.clone()),
            Some(None) => KeyState::Running,
            None if self.answers.len() >= KEYS_MAX => KeyState::Full,
            None => {
                self.answers.insert(scope.clone(), None);
                KeyState::Fresh
            }
        }
    }

    /// Keeps the first answer of a key.
    pub(crate) fn finish(&mut self, scope: Scope, answer: Answer) {
        self.answers.insert(scope, Some(answer));
    }
}
