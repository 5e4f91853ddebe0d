//! The windows of an SLO.

use chrono_tz::Tz;

use crate::slo::{Period, Window};
use crate::spec::nearest;
use crate::spec::yaml::{Spanned, Spot};
use crate::time::Span;

use super::reader::Reader;
use super::shape::{CalendarDocument, Listed, PeriodWord, SpanText, TextOr};

/// The window of an SLO that names none.
const DEFAULT: Window = Window::Rolling(Span::minutes(30 * 24 * 60));
/// The words that name a calendar period.
const PERIODS: [&str; 4] = ["week", "month", "quarter", "year"];
/// A window of fewer minutes shows noise.
const SHORTEST: Span = Span::minutes(5);
/// As long as hours are kept.
const LONGEST: Span = Span::minutes(800 * 24 * 60);

impl Reader<'_> {
    pub(super) fn windows(
        &mut self,
        shape: Option<&Spanned<Listed<TextOr<SpanText, CalendarDocument>>>>,
    ) -> Option<Vec<Window>> {
        let Some(shape) = shape else {
            return Some(vec![DEFAULT]);
        };
        let entries = shape.value.entries(shape.spot);
        if entries.is_empty() {
            return self.refuse(shape.spot, "a list without a window", "write one such as 30d");
        }
        let mut read: Vec<Option<Window>> = Vec::new();
        for (spot, entry) in entries {
            let window = self.window(spot, entry);
            if let Some(twice) = window.filter(|w| read.contains(&Some(*w))) {
                self.fault(spot, &format!("the window {twice} stands here twice"), "keep one");
            }
            read.push(window);
        }
        read.into_iter().collect()
    }

    fn window(&mut self, spot: Spot, entry: &TextOr<SpanText, CalendarDocument>) -> Option<Window> {
        match entry {
            TextOr::Mapping(calendar) => self.calendar(calendar),
            TextOr::Text(SpanText(word)) if PERIODS.contains(&word.as_str()) => {
                let remedy = format!("write {{calendar: {word}, zone: Europe/Paris}}");
                self.refuse(spot, "a calendar window needs a zone", &remedy)
            }
            TextOr::Text(text) => self.rolling(&Spanned { value: text.clone(), spot }),
        }
    }

    fn rolling(&mut self, text: &Spanned<SpanText>) -> Option<Window> {
        let span = self.minutes(text)?;
        if span < SHORTEST {
            return self.refuse(text.spot, "a window shorter than 5m shows noise", "write 5m");
        }
        if span > LONGEST {
            let said = "a window longer than 800d is more than the engine keeps";
            return self.refuse(text.spot, said, "write 800d or less");
        }
        Some(Window::Rolling(span))
    }

    fn calendar(&mut self, shape: &CalendarDocument) -> Option<Window> {
        let period = match shape.calendar {
            PeriodWord::Week => Period::Week,
            PeriodWord::Month => Period::Month,
            PeriodWord::Quarter => Period::Quarter,
            PeriodWord::Year => Period::Year,
        };
        let name = shape.zone.value.as_str();
        if let Ok(zone) = name.parse::<Tz>() {
            return Some(Window::Calendar { period, zone });
        }
        let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let remedy = nearest(name, known).map_or_else(
            || "write one of the IANA time zones, such as Europe/Paris or UTC".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        self.refuse(shape.zone.spot, &format!("there is no time zone `{name}`"), &remedy)
    }
}
