//! Parts of an SLO's events that are counted for themselves too: the groups of a grouped SLO, and the
//! events of each value of a label that spending is attributed to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::slo::Slo;

/// Some of an SLO's events. As JSON it names its ledger in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subset {
    /// Those of a group, by its labels; `None` stands for all groups beyond `maxGroups`.
    Group(Option<BTreeMap<String, String>>),
    /// Those with a value of a label; `None` stands for all values beyond `maxGroups`.
    Attribute(String, Option<String>),
}

/// By what the events of an SLO are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cuts {
    group_by: Vec<String>,
    attribute_by: Vec<String>,
    /// So many groups, and so many values of each label, are counted for themselves.
    #[serde(skip)]
    most: usize,
}

impl Cuts {
    /// What an SLO asks for; `None` when its events are not told apart.
    #[must_use]
    pub fn of(slo: &Slo) -> Option<Arc<Self>> {
        let Slo { group_by, attribute_by, max_groups, .. } = slo;
        (!group_by.is_empty() || !attribute_by.is_empty()).then(|| {
            let (group_by, attribute_by) = (group_by.clone(), attribute_by.clone());
            Arc::new(Self { group_by, attribute_by, most: *max_groups })
        })
    }

    /// The labels or fields whose values tell events apart.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.group_by.iter().chain(&self.attribute_by).map(String::as_str)
    }

    /// Whether there are groups.
    #[must_use]
    pub const fn groups(&self) -> bool {
        !self.group_by.is_empty()
    }

    /// How many groups, and how many values of each label, are counted for themselves.
    #[must_use]
    pub const fn most(&self) -> usize {
        self.most
    }

    /// The subsets that events belong to, by the values of their labels. Those of documents that lack a
    /// field belong to the rest.
    pub fn subsets<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Vec<Subset> {
        let mut all = Vec::with_capacity(1 + self.attribute_by.len());
        if self.groups() {
            let labels = self.group_by.iter().map(|label| {
                let value = value(label)?.to_owned();
                Some((label.clone(), value))
            });
            all.push(Subset::Group(labels.collect()));
        }
        let attributed = |label: &String| {
            let value = value(label).map(str::to_owned);
            Subset::Attribute(label.clone(), value)
        };
        all.extend(self.attribute_by.iter().map(attributed));
        all
    }

    /// What each cut is by: the labels of groups together, and each label that is attributed to.
    pub fn each(&self) -> impl Iterator<Item = (Subset, &[String])> {
        let groups = self.groups().then_some((Subset::Group(None), &self.group_by[..]));
        let attributed = |label: &'_ String| Subset::Attribute(label.clone(), None);
        let labels = self.attribute_by.iter();
        groups.into_iter().chain(labels.map(move |l| (attributed(l), std::slice::from_ref(l))))
    }

    /// Whether a subset is one of these cuts.
    #[must_use]
    pub fn makes(&self, subset: &Subset) -> bool {
        match subset {
            Subset::Group(None) => self.groups(),
            Subset::Group(Some(labels)) => {
                labels.len() == self.group_by.len()
                    && self.group_by.iter().all(|label| labels.contains_key(label))
            }
            Subset::Attribute(label, _) => self.attribute_by.contains(label),
        }
    }

    /// What identifies the cuts: where others have counted, these have not.
    #[must_use]
    pub fn text(&self) -> String {
        let by = |labels: &[String]| {
            let mut labels = labels.to_vec();
            labels.sort();
            labels.join(",")
        };
        format!("{};{}", by(&self.group_by), by(&self.attribute_by))
    }
}

impl Subset {
    /// Where the events go when this one is one too many.
    #[must_use]
    pub fn rest(&self) -> Self {
        match self {
            Self::Group(_) => Self::Group(None),
            Self::Attribute(label, _) => Self::Attribute(label.clone(), None),
        }
    }

    /// Whether it is what is beyond `maxGroups`.
    #[must_use]
    pub const fn is_rest(&self) -> bool {
        matches!(self, Self::Group(None) | Self::Attribute(_, None))
    }

    /// Whether it is a group, which has a budget of its own.
    #[must_use]
    pub const fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }
}

/// `route=/cart, method=GET`, or `(other)`.
impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(None) | Self::Attribute(_, None) => f.write_str("(other)"),
            Self::Group(Some(labels)) => {
                for (at, (label, value)) in labels.iter().enumerate() {
                    let between = if at > 0 { ", " } else { "" };
                    write!(f, "{between}{label}={value}")?;
                }
                Ok(())
            }
            Self::Attribute(label, Some(value)) => write!(f, "{label}={value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts() -> Cuts {
        Cuts {
            group_by: vec!["route".into(), "method".into()],
            attribute_by: vec!["code".into()],
            most: 2,
        }
    }

    #[test]
    fn events_belong_to_a_group_and_to_a_value_of_each_label() {
        let value = |label: &str| match label {
            "route" => Some("/cart"),
            "code" => Some("500"),
            _ => Some(""),
        };
        let subsets = cuts().subsets(value);
        let texts: Vec<String> =
            subsets.iter().map(|s| serde_json::to_string(s).unwrap()).collect();
        assert_eq!(
            texts,
            [r#"{"group":{"method":"","route":"/cart"}}"#, r#"{"attribute":["code","500"]}"#]
        );
        assert_eq!(subsets[0].to_string(), "method=, route=/cart");
        assert!(subsets.iter().all(|subset| cuts().makes(subset) && cuts().makes(&subset.rest())));
        let back: Vec<Subset> = texts.iter().map(|t| serde_json::from_str(t).unwrap()).collect();
        assert_eq!(back, subsets);
        let lacking = cuts().subsets(|label| value(label).filter(|_| label == "code"));
        assert_eq!(lacking, [Subset::Group(None), subsets[1].clone()]);
    }

    #[test]
    fn subsets_of_other_cuts_are_told_from_these() {
        let other = Cuts { group_by: vec!["route".into()], ..cuts() };
        let group = &cuts().subsets(|_| Some(""))[0];
        assert!(!other.makes(group) && other.text() != cuts().text());
        let turned = Cuts { group_by: vec!["method".into(), "route".into()], ..cuts() };
        assert!(turned.makes(group) && turned.text() == cuts().text());
    }
}
