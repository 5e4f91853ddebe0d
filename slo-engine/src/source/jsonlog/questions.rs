//! Queries as one question to a line: every condition is asked once, of the fields it is about alone.

use std::sync::Arc;

use slo_core::filter::{Filter, Node, Scalar, Test};
use slo_core::subset::{Cuts, Subset};

/// The filters of all queries and the fields they ask about.
#[derive(Debug)]
pub(super) struct Questions {
    /// The first one is the document itself.
    fields: Vec<Field>,
    /// How many conditions there are.
    conditions: usize,
    filters: Vec<(Filter, Answer)>,
    time: usize,
    /// How many fields are kept.
    kept: usize,
    cuts: Vec<Cut>,
    /// By filter, the cuts that tell its lines apart.
    apart_by: Vec<Vec<usize>>,
    /// By condition, the filters that can hold with it alone; they are asked when it is fulfilled.
    needed_by: Vec<Vec<usize>>,
    /// The filters that need no single condition.
    always: Vec<usize>,
}

/// What tells lines apart.
#[derive(Debug)]
struct Cut {
    cuts: Arc<Cuts>,
    /// Where the values of its fields are kept.
    values: Vec<(String, usize)>,
}

/// A filter whose conditions are numbers.
#[derive(Debug)]
enum Answer {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Condition(usize),
}

/// A field, or what stands before a dot in the name of one.
#[derive(Debug, Default)]
struct Field {
    name: String,
    /// The keys of an object here that lead on, by their length.
    keys: Vec<Vec<(String, usize)>>,
    /// The beginnings of keys that lead into a field that is asked whether it exists.
    into: Vec<(String, usize)>,
    tests: Vec<(usize, Test)>,
    /// The tests whether it is a text, in the order of those, and all other ones: a field such as the
    /// name of a service is compared with many.
    texts: Vec<(String, usize)>,
    others: Vec<(usize, Test)>,
    /// Conditions that any value here or below fulfils.
    exists: Vec<usize>,
    /// Where its value is kept.
    kept: Option<usize>,
}

/// Where a key leads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    /// To a field.
    Field(usize),
    /// To something inside of a field.
    Inside(usize),
    /// Elsewhere.
    Elsewhere,
}

/// What is known of one line.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By number of the condition.
    holds: Vec<bool>,
    /// The conditions that hold.
    held: Vec<usize>,
    /// Unix milliseconds.
    pub(super) time: Option<i64>,
    /// The values that are kept; the first one of a field that has several.
    values: Vec<Option<String>>,
}

impl Questions {
    pub(super) fn new(time_field: &str) -> Self {
        let mut new = Self {
            fields: vec![Field::default()],
            conditions: 0,
            filters: Vec::new(),
            time: 0,
            kept: 0,
            cuts: Vec::new(),
            apart_by: Vec::new(),
            needed_by: Vec::new(),
            always: Vec::new(),
        };
        new.time = new.field(time_field);
        new
    }

    /// The number of a filter; equal ones have the same.
    pub(super) fn add(&mut self, filter: &Filter) -> usize {
        let known = self.filters.iter().position(|(known, _)| known.root() == filter.root());
        known.unwrap_or_else(|| {
            let answer = self.answer(filter.root());
            self.filters.push((filter.clone(), answer));
            self.filters.len() - 1
        })
    }

    /// Tells the lines of a filter apart; the number by what.
    pub(super) fn tell_apart(&mut self, filter: usize, cuts: &Arc<Cuts>) -> usize {
        let known = self.cuts.iter().position(|known| known.cuts == *cuts);
        let cut = known.unwrap_or_else(|| {
            let values = cuts.labels().map(|field| (field.to_owned(), self.keep(field))).collect();
            self.cuts.push(Cut { cuts: cuts.clone(), values });
            self.cuts.len() - 1
        });
        self.apart_by.resize_with(self.apart_by.len().max(filter + 1), Vec::new);
        if !self.apart_by[filter].contains(&cut) {
            self.apart_by[filter].push(cut);
        }
        cut
    }

    fn keep(&mut self, name: &str) -> usize {
        let field = self.field(name);
        *self.fields[field].kept.get_or_insert_with(|| {
            self.kept += 1;
            self.kept - 1
        })
    }

    /// The subsets that a line belongs to which a filter found, with the number of their cut.
    pub(super) fn subsets<'a>(
        &'a self,
        filter: usize,
        answers: &'a Answers,
    ) -> impl Iterator<Item = (usize, Vec<Subset>)> + 'a {
        let cuts = self.apart_by.get(filter).into_iter().flatten();
        cuts.map(|cut| {
            let Cut { cuts, values } = &self.cuts[*cut];
            let subsets = cuts.subsets(|field| {
                let (_, place) = values.iter().find(|(name, _)| name == field)?;
                answers.values[*place].as_deref()
            });
            (*cut, subsets)
        })
    }

    fn answer(&mut self, node: &Node) -> Answer {
        match node {
            Node::And(nodes) => Answer::And(nodes.iter().map(|node| self.answer(node)).collect()),
            Node::Or(nodes) => Answer::Or(nodes.iter().map(|node| self.answer(node)).collect()),
            Node::Not(node) => Answer::Not(Box::new(self.answer(node))),
            Node::Field(name, test) => Answer::Condition(self.condition(name, test)),
        }
    }

    fn condition(&mut self, name: &str, test: &Test) -> usize {
        let field = self.field(name);
        let tests = &mut self.fields[field].tests;
        if let Some((number, _)) = tests.iter().find(|(_, known)| known == test) {
            return *number;
        }
        tests.push((self.conditions, test.clone()));
        self.conditions += 1;
        self.conditions - 1
    }

    fn field(&mut self, name: &str) -> usize {
        let known = self.fields.iter().skip(1).position(|field| field.name == name);
        known.map_or_else(
            || {
                self.fields.push(Field { name: name.to_owned(), ..Field::default() });
                self.fields.len() - 1
            },
            |at| at + 1,
        )
    }

    /// Works out how to answer, once all filters are there.
    pub(super) fn connect(mut self) -> Self {
        self.connect_keys();
        self.fields.iter_mut().for_each(Field::sort);
        self.needed_by = vec![Vec::new(); self.conditions];
        let mut asked = vec![0_usize; self.conditions];
        for (_, answer) in &self.filters {
            answer.needs().into_iter().for_each(|condition| asked[condition] += 1);
        }
        for (filter, (_, answer)) in self.filters.iter().enumerate() {
            // The condition of the fewest filters is fulfilled the most seldom.
            match answer.needs().into_iter().min_by_key(|condition| asked[*condition]) {
                Some(condition) => self.needed_by[condition].push(filter),
                None => self.always.push(filter),
            }
        }
        self
    }

    /// Finds the ways from object to object.
    fn connect_keys(&mut self) {
        let ends = |name: &str| name.match_indices('.').map(|(at, _)| at).collect::<Vec<_>>();
        for at in 1..self.fields.len() {
            let name = self.fields[at].name.clone();
            for end in ends(&name) {
                self.field(&name[..end]);
            }
        }
        let names: Vec<String> = self.fields.iter().map(|field| field.name.clone()).collect();
        for at in 0..names.len() {
            for (to, name) in names.iter().enumerate().skip(1) {
                if let Some(key) = if at == 0 { Some(&**name) } else { below(name, &names[at]) } {
                    self.lead(at, key, to);
                }
                if to == at || below(&names[at], name).is_some() {
                    let exists = self.fields[to].existence();
                    self.fields[at].exists.extend(exists);
                }
            }
            // Of two beginnings of a key the longer one leads further.
            self.fields[at].into.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
        }
    }

    fn lead(&mut self, from: usize, key: &str, to: usize) {
        if !self.fields[to].existence().is_empty() {
            self.fields[from].into.push((format!("{key}."), to));
        }
        let keys = &mut self.fields[from].keys;
        keys.resize_with(keys.len().max(key.len() + 1), Vec::new);
        keys[key.len()].push((key.to_owned(), to));
    }

    /// How many filters there are.
    pub(super) fn filters(&self) -> usize {
        self.filters.len()
    }

    /// Forgets what was answered.
    pub(super) fn begin(&self, answers: &mut Answers) {
        answers.held.drain(..).for_each(|condition| answers.holds[condition] = false);
        answers.holds.resize(self.conditions, false);
        answers.time = None;
        answers.values.clear();
        answers.values.resize(self.kept, None);
    }

    /// Where a key of an object leads that is the value of a field.
    pub(super) fn next(&self, field: usize, key: &str) -> Next {
        let field_here = &self.fields[field];
        if let Some(keys) = field_here.keys.get(key.len())
            && let Some((_, to)) = keys.iter().find(|(known, _)| known == key)
        {
            return Next::Field(*to);
        }
        if let Some((_, to)) = field_here.into.iter().find(|(into, _)| key.starts_with(into)) {
            return Next::Inside(*to);
        }
        if field_here.exists.is_empty() { Next::Elsewhere } else { Next::Inside(field) }
    }

    /// A field has a value.
    pub(super) fn value(&self, field: usize, value: Scalar<'_>, answers: &mut Answers) {
        let here = &self.fields[field];
        let tests = if let Scalar::Text(text) = value {
            let same = here.texts.binary_search_by(|(known, _)| known.as_str().cmp(text));
            same.into_iter().for_each(|at| answers.hold(here.texts[at].1));
            &here.others
        } else {
            &here.tests
        };
        for (condition, test) in tests {
            if test.passes(value) {
                answers.hold(*condition);
            }
        }
        if let Some(place) = here.kept.filter(|place| answers.values[*place].is_none()) {
            answers.values[place] = Some(value.text().into_owned());
        }
        self.inside(field, answers);
        if field == self.time && answers.time.is_none() {
            answers.time = super::time::millis(value);
        }
    }

    /// There is a value inside of a field.
    pub(super) fn inside(&self, field: usize, answers: &mut Answers) {
        self.fields[field].exists.iter().for_each(|condition| answers.hold(*condition));
    }

    /// The filters that find the line.
    pub(super) fn found<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = usize> + 'a {
        let likely = answers.held.iter().flat_map(|condition| &self.needed_by[*condition]);
        let asked = likely.chain(&self.always).copied();
        asked.filter(|filter| self.filters[*filter].1.holds(&answers.holds))
    }
}

impl Answers {
    fn hold(&mut self, condition: usize) {
        if !self.holds[condition] {
            self.holds[condition] = true;
            self.held.push(condition);
        }
    }
}

impl Answer {
    fn holds(&self, conditions: &[bool]) -> bool {
        match self {
            Self::And(all) => all.iter().all(|answer| answer.holds(conditions)),
            Self::Or(any) => any.iter().any(|answer| answer.holds(conditions)),
            Self::Not(answer) => !answer.holds(conditions),
            Self::Condition(number) => conditions[*number],
        }
    }

    /// Conditions without each of which it cannot hold.
    fn needs(&self) -> Vec<usize> {
        match self {
            Self::And(all) => all.iter().flat_map(Self::needs).collect(),
            Self::Condition(number) => vec![*number],
            Self::Or(_) | Self::Not(_) => Vec::new(),
        }
    }
}

impl Field {
    fn sort(&mut self) {
        for (condition, test) in &self.tests {
            match test {
                Test::Is(value) => self.texts.push((value.text().to_owned(), *condition)),
                other => self.others.push((*condition, other.clone())),
            }
        }
        self.texts.sort();
    }

    /// The conditions that ask whether it exists.
    fn existence(&self) -> Vec<usize> {
        let exists = self.tests.iter().filter(|(_, test)| *test == Test::Exists);
        exists.map(|(condition, _)| *condition).collect()
    }
}

/// What of a name leads on from a field that it is below.
fn below<'a>(name: &'a str, field: &str) -> Option<&'a str> {
    name.strip_prefix(field)?.strip_prefix('.')
}
