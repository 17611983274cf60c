//! What a record has, in words.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use holdup_model::{HumanDuration, RouteName};

use super::entry::{Entry, Survey};
use super::record::Record;

/// The most holds, pairs of routes and places that are listed.
const LISTED: usize = 10;

/// A hold that lasts is written more often than this.
const AT_THE_END: Duration = Duration::from_secs(2);

/// Displays a record for people: when it was made, its longest holds, who held up whom, and where requests waited.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a>(pub &'a Record);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin(f)?;
        self.damage(f)?;
        self.holds(f)?;
        self.victims(f)?;
        self.waits(f)
    }
}

impl Summary<'_> {
    fn origin(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.0;
        let span = record.span();
        let files = if record.segments == 1 {
            "file"
        } else {
            "files"
        };
        writeln!(
            f,
            "Recorded by holdup {}, process {}, from {} to {} ({}), in {} {files} of {} KiB.",
            record.header.holdup,
            record.header.pid,
            record.stamp(span.from),
            record.stamp(span.to).time_of_day(),
            HumanDuration(span.to.saturating_sub(span.from)),
            record.segments,
            record.bytes.div_ceil(1024),
        )?;
        match record.earlier_runs {
            0 => Ok(()),
            1 => writeln!(
                f,
                "The folder has an earlier run, too: give one of its files to see it."
            ),
            n => writeln!(
                f,
                "The folder has {n} earlier runs, too: give a file of one to see it."
            ),
        }
    }

    fn damage(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.0;
        if record.is_torn {
            f.write_str(
                "The last line is incomplete: the process was writing it. It was left out.\n",
            )?;
        }
        match record.damaged {
            0 => {}
            1 => f.write_str("1 damaged line was left out.\n")?,
            n => writeln!(f, "{n} damaged lines were left out.")?,
        }
        for path in &record.unreadable {
            writeln!(f, "{} was left out: it cannot be read.", path.display())?;
        }
        let missing = record.entries.iter().filter_map(|entry| match entry {
            Entry::Missing(missing) => Some(missing.lines),
            _ => None,
        });
        match missing.fold(0, u64::saturating_add) {
            0 => Ok(()),
            n => writeln!(f, "{n} lines are missing: they could not be written."),
        }
    }

    fn holds(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut holds, span) = (self.0.holds(), self.0.span());
        if holds.is_empty() {
            return f.write_str("\nNo worker was held.\n");
        }
        holds.sort_by_key(|hold| Reverse(hold.duration));
        let all = holds.len();
        match all {
            1 => f.write_str("\nOne hold:\n")?,
            n if n <= LISTED => writeln!(f, "\n{n} holds, the longest first:")?,
            n => writeln!(f, "\n{n} holds, of which these are the longest:")?,
        }
        for hold in holds.iter().take(LISTED) {
            let at = self.0.stamp(hold.started).time_of_day();
            let unknown = span.to.saturating_sub(hold.started + hold.duration);
            let end = match hold.ongoing {
                true if unknown <= AT_THE_END => ", and the record ends",
                true => ", and its end is missing",
                false => "",
            };
            writeln!(f, "  {at}  {hold}{end}")?;
        }
        Ok(())
    }

    fn victims(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latest = self.0.entries.iter().rev().find_map(|entry| match entry {
            Entry::Victims(victims) => Some(&victims.victims),
            _ => None,
        });
        let Some(victims) = latest.filter(|victims| !victims.is_empty()) else {
            return Ok(());
        };
        f.write_str("\nWho held up whom, of the requests that were over:\n")?;
        for victim in victims.iter().take(LISTED) {
            writeln!(f, "  {victim}")?;
        }
        Ok(())
    }

    fn waits(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let surveys = self.0.entries.iter().filter_map(|entry| match entry {
            Entry::Survey(survey) => Some(survey),
            _ => None,
        });
        let mut most = most_at_each_place(surveys);
        if most.is_empty() {
            return Ok(());
        }
        most.sort_by_key(|place| Reverse(place.requests));
        f.write_str("\nWhere requests waited, with the most that waited there at a time:\n")?;
        for place in most.iter().take(LISTED) {
            let at = self.0.stamp(place.at).time_of_day();
            let routes: Vec<_> = place.routes.iter().map(ToString::to_string).collect();
            let routes = routes.join(", ");
            writeln!(f, "  {at}  {} at {}: {routes}", place.requests, place.name)?;
        }
        Ok(())
    }
}

/// A place, when most requests waited there.
struct Place<'a> {
    name: String,
    requests: usize,
    at: Duration,
    routes: Vec<&'a RouteName>,
}

fn most_at_each_place<'a>(surveys: impl Iterator<Item = &'a Survey>) -> Vec<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    for survey in surveys {
        for wait in &survey.waits {
            let name = wait.point.as_ref().map_or_else(
                || "a place that is not known".to_owned(),
                ToString::to_string,
            );
            let place = Place {
                name,
                requests: wait.requests,
                at: survey.at,
                routes: wait.routes.iter().take(3).map(|(route, _)| route).collect(),
            };
            match places.iter_mut().find(|other| other.name == place.name) {
                Some(other) if other.requests >= place.requests => {}
                Some(other) => *other = place,
                None => places.push(place),
            }
        }
    }
    places
}
