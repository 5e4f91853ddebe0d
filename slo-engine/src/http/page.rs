//! Lists come in pages: `{items, next}`. A cursor is the key of the last item, so a page is right
//! also when things were added or removed since the page before.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;

/// The most items of a page.
const MOST: usize = 500;
/// The items of a page when nobody says how many.
const USUAL: usize = 100;

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct Page<T> {
    /// At most `limit` of them.
    pub(super) items: Vec<T>,
    /// The `cursor` of the page that follows; null on the last one.
    pub(super) next: Option<String>,
}

/// Which page is asked for; `N` is how many names a key has.
pub(super) struct Wanted<const N: usize> {
    limit: usize,
    after: Option<[String; N]>,
}

impl<const N: usize> Wanted<N> {
    /// # Errors
    /// When the limit is out of range, or the cursor is none that this list gave.
    pub(super) fn new(limit: Option<usize>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad("limit", format!("{limit} is not between 1 and {MOST}")));
        }
        let after = cursor.map(read).transpose()?;
        Ok(Self { limit, after })
    }

    /// The first name of the key that the page comes after: where to begin to look.
    pub(super) fn from(&self) -> &str {
        self.after.as_ref().map_or("", |key| &key[0])
    }

    /// The page, from items in the order of their keys.
    pub(super) fn page<'a, T, U>(
        &self,
        sorted: impl Iterator<Item = ([&'a str; N], T)>,
        shown: impl Fn(T) -> U,
    ) -> Page<U> {
        let is_after = |key: &[&str; N]| match &self.after {
            Some(after) => key.as_slice() > after.each_ref().map(String::as_str).as_slice(),
            None => true,
        };
        let mut sorted = sorted.filter(|(key, _)| is_after(key)).peekable();
        let (mut items, mut last) = (Vec::new(), None);
        for (key, item) in sorted.by_ref().take(self.limit) {
            items.push(shown(item));
            last = Some(key);
        }
        let next = last.filter(|_| sorted.peek().is_some()).map(|key| written(&key));
        Page { items, next }
    }
}

/// Which page of a list that begins with the newest item; keys of newer items are greater.
pub(super) struct Newest {
    limit: usize,
    after: Option<String>,
}

impl Newest {
    /// # Errors
    /// When the limit is out of range, or the cursor is none that this list gave.
    pub(super) fn new(limit: Option<usize>, cursor: Option<&str>) -> Result<Self, Problem> {
        let Wanted { limit, after } = Wanted::<1>::new(limit, cursor)?;
        Ok(Self { limit, after: after.map(|[key]| key) })
    }

    /// The number of the item that the page comes after, where keys are numbers.
    pub(super) fn after_number(&self) -> Result<Option<i64>, Problem> {
        self.after.as_deref().map(|key| key.parse().map_err(|_| foreign())).transpose()
    }

    /// The instant in microseconds and the id of the item that the page comes after, where keys are both.
    pub(super) fn after_instant(&self) -> Result<Option<(i64, &str)>, Problem> {
        self.after.as_deref().map(|key| instant(key).ok_or_else(foreign)).transpose()
    }

    /// One item more than the page takes: whether there is one says whether a page follows.
    pub(super) fn one_more(&self) -> u32 {
        self.limit as u32 + 1
    }

    /// The page, from items with their keys, newest first.
    pub(super) fn page<T>(&self, items: impl Iterator<Item = (String, T)>) -> Page<T> {
        let is_after = |key: &str| self.after.as_deref().is_none_or(|after| key != after);
        let mut taken: Vec<(String, T)> =
            items.filter(|(key, _)| is_after(key)).take(self.limit + 1).collect();
        let follows = taken.len() > self.limit;
        taken.truncate(self.limit);
        let next = taken.last().filter(|_| follows).map(|(key, _)| written(&[key]));
        Page { items: taken.into_iter().map(|(_, item)| item).collect(), next }
    }

    /// The page of a list in memory.
    pub(super) fn page_of<T>(&self, mut all: Vec<(String, T)>) -> Page<T> {
        all.sort_by(|(a, _), (b, _)| b.cmp(a));
        let after = self.after.as_deref();
        self.page(all.into_iter().filter(|(key, _)| after.is_none_or(|after| **key < *after)))
    }
}

fn instant(key: &str) -> Option<(i64, &str)> {
    let (at, id) = key.split_once('-')?;
    Some((at.parse().ok()?, id))
}

fn foreign() -> Problem {
    Problem::bad("cursor", "this list gave no such cursor; take it from `next`")
}

/// Names hold no `/`.
fn written(key: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(key.join("/"))
}

fn read<const N: usize>(cursor: &str) -> Result<[String; N], Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let names = text.map(|text| text.split('/').map(str::to_owned).collect::<Vec<_>>());
    let key = names.and_then(|names| <[String; N]>::try_from(names).ok());
    key.ok_or_else(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [[&str; 2]; 4] = [["a", "p"], ["a", "s"], ["a-b", "p"], ["b", "p"]];

    fn pages(limit: usize, all: &[[&'static str; 2]]) -> Vec<Vec<String>> {
        let (mut pages, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let wanted = Wanted::<2>::new(Some(limit), cursor.as_deref()).unwrap();
            let begun = all.iter().filter(|key| key[0] >= wanted.from());
            let page = wanted.page(begun.map(|key| (*key, key)), |key| key.join("@"));
            pages.push(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_of_every_size_give_each_item_once_in_order() {
        let whole: Vec<String> = KEYS.iter().map(|key| key.join("@")).collect();
        for limit in 1..=5 {
            let pages = pages(limit, &KEYS);
            assert_eq!(pages.concat(), whole, "limit {limit}");
            assert_eq!(pages.len(), 4_usize.div_ceil(limit), "no empty last page, limit {limit}");
        }
        assert_eq!(pages(5, &[]), [Vec::<String>::new()]);
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended_also_when_that_item_is_gone() {
        let gone = written(&["a", "q"]);
        let wanted = Wanted::<2>::new(None, Some(&gone)).unwrap();
        let page = wanted.page(KEYS.iter().map(|key| (*key, key)), |key| key[1].to_owned());
        assert_eq!((page.items, page.next), (vec!["s".into(), "p".into(), "p".into()], None));
    }

    #[test]
    fn pages_of_the_newest_go_back_in_time() {
        let all = || ["1", "2", "3", "4", "5"].map(|key| (key.to_owned(), key)).to_vec();
        let first = Newest::new(Some(2), None).unwrap().page_of(all());
        assert_eq!(first.items, ["5", "4"]);
        let second = Newest::new(Some(2), first.next.as_deref()).unwrap().page_of(all());
        assert_eq!(second.items, ["3", "2"]);
        let third = Newest::new(Some(2), second.next.as_deref()).unwrap().page_of(all());
        assert_eq!((third.items, third.next), (vec!["1"], None));
        assert!(Newest::new(None, Some(&written(&["x"]))).unwrap().after_number().is_err());
    }

    #[test]
    fn a_limit_out_of_range_and_a_cursor_of_another_list_are_refused() {
        for limit in [0, 501] {
            assert!(Wanted::<2>::new(Some(limit), None).is_err());
        }
        for cursor in ["", "%%", "YQ", "_w", &written(&["a", "b", "c"])] {
            assert!(Wanted::<2>::new(None, Some(cursor)).is_err(), "{cursor}");
        }
    }
}
