//! Lists in pages: where one ended, the next begins.

/// One page of a list, as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<C> {
    /// Items, at least 1.
    pub size: usize,
    /// Place behind which it starts; `None` is the beginning.
    pub after: Option<C>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// Its items.
    pub items: Vec<T>,
    /// Place behind which the next page starts; `None` at the end.
    pub next: Option<C>,
}

impl<C> PageRequest<C> {
    /// Items to fetch: one more than asked tells whether there is a next page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// The page from what was fetched.
    pub fn cut<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> C) -> Page<T, C> {
        let more = items.len() > self.size;
        items.truncate(self.size);
        let next = items.last().filter(|_| more).map(place);
        Page { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_that_is_not_the_last_has_a_next_one() {
        let request = PageRequest {
            size: 2,
            after: None,
        };
        assert_eq!(request.fetch(), 3);
        let page = request.cut(vec![1, 2, 3], |item| *item);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(2)));
        let page = request.cut(vec![1, 2], |item| *item);
        assert_eq!((page.items, page.next), (vec![1, 2], None));
        let page = request.cut(Vec::new(), |item: &i32| *item);
        assert_eq!((page.items, page.next), (vec![], None));
    }
}
