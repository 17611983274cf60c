//! Tests and how they ended, as a JUnit document.

use std::fmt::Write as _;
use std::time::Duration;

use super::xml::{escaped, escaped_lines};

/// Tests that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSuite<'a> {
    /// What CI systems call it.
    pub name: &'a str,
    /// The class of all its tests. CI systems read a package before the last dot.
    pub class: &'a str,
    /// How long all tests took together. Each is given an equal part.
    pub took: Duration,
    /// The tests.
    pub tests: Vec<TestCase>,
    /// What was printed meanwhile.
    pub output: &'a str,
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    /// What CI systems call it, and by which they know it again in the next run.
    pub name: String,
    /// How it ended.
    pub end: TestEnd,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TestEnd {
    /// It passed.
    Passed,
    /// What it tests is not as it should be.
    Failed(TestNote),
    /// It cannot tell. CI systems count this neither as passed nor as failed.
    Skipped(TestNote),
    /// The test itself did not work.
    Broken(TestNote),
}

/// Why a test did not pass.
#[derive(Debug, Clone, PartialEq)]
pub struct TestNote {
    /// Why, in one line.
    pub message: String,
    /// The evidence, in several lines.
    pub details: String,
}

/// A JUnit document, as Jenkins, GitLab and others read it. Some of them show only the text of an element, and others
/// only its attribute `message`. So the text begins with the message.
///
/// ```
/// use std::time::Duration;
/// use holdup_render::{TestCase, TestEnd, TestNote, TestSuite, junit};
///
/// let note = TestNote { message: "k < 2".to_owned(), details: "alone: 1 s".to_owned() };
/// let suite = TestSuite {
///     name: "holdup probe",
///     class: "holdup.probe",
///     took: Duration::from_millis(2500),
///     tests: vec![TestCase { name: "/report".to_owned(), end: TestEnd::Failed(note) }],
///     output: "Serialized",
/// };
/// assert_eq!(junit(&suite), r#"<?xml version="1.0" encoding="UTF-8"?>
/// <testsuites>
///   <testsuite name="holdup probe" tests="1" failures="1" errors="0" skipped="0" time="2.500">
///     <testcase name="/report" classname="holdup.probe" time="2.500">
///       <failure message="k &lt; 2" type="failure">k &lt; 2
///
/// alone: 1 s</failure>
///     </testcase>
///     <system-out>Serialized</system-out>
///   </testsuite>
/// </testsuites>
/// "#);
/// ```
pub fn junit(suite: &TestSuite<'_>) -> String {
    let count = |is: fn(&TestEnd) -> bool| suite.tests.iter().filter(|test| is(&test.end)).count();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        escaped(suite.name),
        suite.tests.len(),
        count(|end| matches!(end, TestEnd::Failed(_))),
        count(|end| matches!(end, TestEnd::Broken(_))),
        count(|end| matches!(end, TestEnd::Skipped(_))),
        suite.took.as_secs_f64(),
    );
    let each = suite.took / u32::try_from(suite.tests.len().max(1)).unwrap_or(u32::MAX);
    for test in &suite.tests {
        let _ = write!(
            text,
            "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
            escaped(&test.name),
            escaped(suite.class),
            each.as_secs_f64(),
        );
        match &test.end {
            TestEnd::Passed => text.push_str("/>\n"),
            TestEnd::Failed(note) => note.write(&mut text, "failure"),
            TestEnd::Skipped(note) => note.write(&mut text, "skipped"),
            TestEnd::Broken(note) => note.write(&mut text, "error"),
        }
    }
    let _ = write!(
        text,
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n",
        escaped_lines(suite.output)
    );
    text
}

impl TestNote {
    fn write(&self, text: &mut String, element: &str) {
        let message = escaped(&self.message.replace('\n', " "));
        // Some readers insist on a type.
        let _ = write!(
            text,
            ">\n      <{element} message=\"{message}\" type=\"{element}\">{message}"
        );
        if !self.details.is_empty() {
            let _ = write!(text, "\n\n{}", escaped_lines(&self.details));
        }
        let _ = writeln!(text, "</{element}>\n    </testcase>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(message: &str, details: &str) -> TestNote {
        TestNote {
            message: message.to_owned(),
            details: details.to_owned(),
        }
    }

    fn written(tests: &[(&str, TestEnd)], output: &str) -> String {
        let case = |(name, end): &(&str, TestEnd)| TestCase {
            name: (*name).to_owned(),
            end: end.clone(),
        };
        junit(&TestSuite {
            name: "a suite",
            class: "a.class",
            took: Duration::from_secs(6),
            tests: tests.iter().map(case).collect(),
            output,
        })
    }

    #[test]
    fn each_end_is_counted_and_has_its_element() {
        let text = written(
            &[
                ("a", TestEnd::Passed),
                ("b", TestEnd::Failed(note("no", ""))),
                ("c", TestEnd::Skipped(note("who knows", "because"))),
                ("d", TestEnd::Broken(note("oh", ""))),
            ],
            "",
        );
        let suite = "tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"6.000\">";
        for part in [
            suite,
            "<testcase name=\"a\" classname=\"a.class\" time=\"1.500\"/>",
            "<failure message=\"no\" type=\"failure\">no</failure>",
            "<skipped message=\"who knows\" type=\"skipped\">who knows\n\nbecause</skipped>",
            "<error message=\"oh\" type=\"error\">oh</error>",
        ] {
            assert!(text.contains(part), "no {part}: {text}");
        }
    }

    #[test]
    fn what_xml_forbids_is_left_out_and_what_it_reads_is_escaped() {
        let odd = "a<b>&\"c'\u{0}\u{1b}[31m\u{b}\u{ffff}\u{fffe}]]>";
        let text = written(
            &[(odd, TestEnd::Failed(note(odd, "one\n\ttwo\r\u{7f}")))],
            odd,
        );
        let safe = "a&lt;b&gt;&amp;&quot;c&#39;[31m]]&gt;";
        assert!(text.contains(&format!("name=\"{safe}\"")), "{text}");
        assert!(
            text.contains(&format!(">{safe}\n\none\n\ttwo</failure>")),
            "{text}"
        );
        assert!(
            text.contains(&format!("<system-out>{safe}</system-out>")),
            "{text}"
        );
    }

    #[test]
    fn a_message_stays_on_one_line_in_its_attribute() {
        let text = written(&[("a", TestEnd::Broken(note("one\ntwo", "")))], "");
        assert!(text.contains("message=\"one two\""), "{text}");
    }
}
