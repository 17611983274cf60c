//! A button on the page that probes a route of the app.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use url::Url;

use holdup_model::HumanDuration;

use super::parameter::{Parameter, Rule, Values};

/// The fewest requests of a round. A round with this many requests and all defaults must fit the
/// limit.
pub(super) const FEWEST: u32 = 2;

/// A button that probes a path of the app with GET requests.
///
/// ```
/// use std::time::Duration;
///
/// use holdup_console::{Button, Parameter};
///
/// let second = Duration::from_secs(1);
/// let button = Button::new("/report?format=csv")
///     .label("the report")
///     .code("let rows = web::block(|| query(days)).await?;")
///     .parameter(Parameter::integer("days", 1..=30).default(7))
///     .expects(move |values| second * u32::try_from(values.integer("days")).unwrap_or(u32::MAX));
/// ```
#[derive(Clone)]
#[must_use = "a button is for a builder"]
pub struct Button {
    label: Option<String>,
    path: String,
    code: Option<String>,
    parameters: Vec<Rule>,
    expects: Option<Arc<Expects>>,
}

type Expects = dyn Fn(&Values) -> Duration + Send + Sync;

/// A button, in the form that the page receives.
#[derive(Debug, Serialize)]
pub(crate) struct Published {
    number: usize,
    label: String,
    path: String,
    code: Option<String>,
    parameters: Vec<Rule>,
}

/// A field of an order that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadValue {
    Unknown {
        name: String,
        value: String,
    },
    Wrong {
        name: String,
        value: String,
        allowed: String,
    },
}

impl Button {
    /// Creates a button for this path of the app. The path may have a query.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            label: None,
            path: path.into(),
            code: None,
            parameters: Vec::new(),
            expects: None,
        }
    }

    /// Sets the label above the button. The default is the path.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the lines of the handler's code that the page shows beside the button.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds a query parameter that the user of the page can set.
    pub fn parameter<T>(mut self, parameter: Parameter<T>) -> Self {
        self.parameters.push(parameter.into_rule());
        self
    }

    /// Sets how long one request with these values takes when nothing else runs. A round is refused
    /// before it begins if its requests, in sequence, would take longer than
    /// [`Builder::longest_round`](crate::Builder::longest_round). By default, no round is refused.
    pub fn expects(
        mut self,
        duration: impl Fn(&Values) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.expects = Some(Arc::new(duration));
        self
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether the button's route is the one at this path.
    pub(super) fn asks(&self, path: &str) -> bool {
        let route = |path: &str| path.split('?').next().map(str::to_owned);
        route(&self.path) == route(path)
    }

    /// The names of the button's parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|rule| rule.name.as_str())
    }

    pub(super) fn published(&self, number: usize) -> Published {
        Published {
            number,
            label: self.label.as_ref().unwrap_or(&self.path).clone(),
            path: self.path.clone(),
            code: self.code.clone(),
            parameters: self.parameters.clone(),
        }
    }

    /// Returns what is wrong with the button, if it cannot be used with this app.
    pub(super) fn check(&self, app: &Url, longest_round: Duration) -> Result<(), String> {
        check_path(&self.path, app)?;
        for (index, rule) in self.parameters.iter().enumerate() {
            rule.check()?;
            if self.names().take(index).any(|name| name == rule.name) {
                return Err(format!("it has two parameters {}", rule.name));
            }
        }
        let defaults = self
            .parameters
            .iter()
            .map(|rule| (rule.name.clone(), rule.default.clone()));
        let defaults = Values(defaults.collect());
        let expected = self.expected(&defaults).saturating_mul(FEWEST);
        if expected > longest_round {
            return Err(format!(
                "{FEWEST} requests with its defaults take {:#}; allowed: at most {:#}, the longest round",
                HumanDuration(expected),
                HumanDuration(longest_round)
            ));
        }
        Ok(())
    }

    /// How long one request takes with these values, if the developer set it; otherwise zero.
    pub(super) fn expected(&self, values: &Values) -> Duration {
        let expects = self.expects.as_ref();
        expects.map_or(Duration::ZERO, |expects| expects(values))
    }

    /// The values of the parameters in an order.
    pub(super) fn read(&self, given: &Map<String, Json>) -> Result<Values, BadValue> {
        if let Some((name, value)) = given
            .iter()
            .find(|(name, _)| !self.names().any(|n| n == *name))
        {
            return Err(BadValue::Unknown {
                name: name.clone(),
                value: value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            });
        }
        let values = self.parameters.iter().map(|rule| {
            let name = rule.name.clone();
            match rule.read(given.get(&name)) {
                Ok(value) => Ok((name, value)),
                Err((value, allowed)) => Err(BadValue::Wrong {
                    name,
                    value,
                    allowed,
                }),
            }
        });
        values.collect::<Result<_, _>>().map(Values)
    }
}

/// Returns what is wrong with a path, if it is none of this app.
pub(super) fn check_path(path: &str, app: &Url) -> Result<(), String> {
    let whole = app.join(path).ok();
    let own = whole.is_some_and(|whole| whole.origin() == app.origin());
    if !path.starts_with('/') || !own {
        return Err("allowed: a path of the app such as /report?days=7".to_owned());
    }
    Ok(())
}

/// Creates a button for the path.
impl From<&str> for Button {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

/// Creates a button for the path.
impl From<String> for Button {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl fmt::Debug for Button {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<_> = self.names().collect();
        f.debug_struct("Button")
            .field("label", &self.label)
            .field("path", &self.path)
            .field("parameters", &parameters)
            .finish_non_exhaustive()
    }
}
