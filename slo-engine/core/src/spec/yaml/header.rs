//! What a document says it is. Nearly always that is two plain lines, which need no parser: there are
//! thousands of documents at each start.

use serde::Deserialize;

use super::{Spanned, Spot};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) api_version: Option<Spanned<String>>,
    pub(super) kind: Option<Spanned<String>>,
}

/// The header in the first lines of a document; `None` where these hold anything else than both keys
/// with plain words, comments and the mark in front.
pub(super) fn plain(top: &str) -> Option<Header> {
    let (mut header, mut at) = (Header { api_version: None, kind: None }, 0);
    for (number, line) in top.split_inclusive('\n').enumerate() {
        if !(line == "\n" || line == "---\n" || line.starts_with('#')) {
            let (key, word) = line.strip_suffix('\n')?.split_once(": ")?;
            let place = match key {
                "apiVersion" => &mut header.api_version,
                "kind" => &mut header.kind,
                _ => return None,
            };
            if place.is_some() || !is_word(word) {
                return None;
            }
            let before = key.len() + ": ".len();
            let byte = Some(at + before);
            let spot = Spot { line: number + 1, column: before + 1, length: word.len(), byte };
            *place = Some(Spanned { value: word.to_owned(), spot });
        }
        at += line.len();
    }
    (header.api_version.is_some() && header.kind.is_some()).then_some(header)
}

/// Whether YAML reads it as this text, whatever stands around it.
fn is_word(text: &str) -> bool {
    let means_more = ["null", "true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/')
        && !means_more
}

#[cfg(test)]
mod tests {
    use super::super::explain;
    use super::*;

    fn parsed(text: &str) -> Option<Header> {
        serde_saphyr::from_str_with_options(text, explain::options()).ok()
    }

    #[test]
    fn a_plain_header_is_what_the_parser_reads_at_the_same_spots() {
        for text in [
            "apiVersion: headroom/v1\nkind: Service\n",
            "---\nkind: Policy\napiVersion: headroom/v1\n",
            "# é: a comment\n\n---\n# another\napiVersion: headroom/v2\n\nkind: Servcie\n",
        ] {
            let (plain, parsed) = (plain(text).unwrap(), parsed(text).unwrap());
            assert_eq!(plain, parsed, "{text:?}");
            let spots = |header: Header| [header.api_version, header.kind].map(|s| s.unwrap().spot);
            assert_eq!(spots(plain), spots(parsed), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        for text in [
            "",
            "apiVersion: headroom/v1\n",
            "apiVersion: headroom/v1\nkind: Service",
            "apiVersion: headroom/v1\nkind: Service\r\n",
            "apiVersion: headroom/v1\nkind: Service # x\n",
            "apiVersion: 'headroom/v1'\nkind: Service\n",
            "apiVersion: headroom/v1\nkind: null\n",
            "apiVersion: headroom/v1\nkind: Service\nkind: Service\n",
            "apiVersion: headroom/v1\nkind: Service\n  more\n",
            "--- {}\napiVersion: headroom/v1\nkind: Service\n",
            "apiVersion: &a headroom/v1\nkind: *a\n",
        ] {
            assert_eq!(plain(text), None, "{text:?}");
        }
    }
}
