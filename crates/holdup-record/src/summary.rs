//! What a record has, in words.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use holdup_model::{HumanDuration, RouteName, without_controls};

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
            plain(&record.header.holdup),
            record.header.pid,
            record.stamp(span.from),
            self.when(span.to),
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

    /// The time of day; with its date if the record has more than one.
    fn when(self, at: Duration) -> String {
        let (record, span) = (self.0, self.0.span());
        let stamp = record.stamp(at);
        if record.stamp(span.from).date() == record.stamp(span.to).date() {
            stamp.time_of_day()
        } else {
            format!("{} {}", stamp.date(), stamp.time_of_day())
        }
    }

    fn damage(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.0;
        if record.is_torn {
            f.write_str(
                "The last line is incomplete: the process was writing it. It was left out.\n",
            )?;
        }
        let gaps = record.gaps();
        match gaps.damaged {
            0 => {}
            1 => f.write_str("1 damaged line was left out.\n")?,
            n => writeln!(f, "{n} damaged lines were left out.")?,
        }
        for path in &record.unreadable {
            let path = plain(path.display());
            writeln!(f, "{path} was left out: it cannot be read.")?;
        }
        match gaps.missing {
            0 => {}
            1 => f.write_str("1 line is missing: it could not be written.\n")?,
            n => writeln!(f, "{n} lines are missing: they could not be written.")?,
        }
        match gaps.lost {
            0 => {}
            1 => f.write_str("1 event was lost, because events came too fast.\n")?,
            n => writeln!(f, "{n} events were lost, because they came too fast.")?,
        }
        match gaps.left_out {
            0 => Ok(()),
            1 => f.write_str("1 request was only counted, because there were too many.\n"),
            n => writeln!(
                f,
                "{n} requests were only counted, because there were too many."
            ),
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
            let at = self.when(hold.started);
            let unknown = span.to.saturating_sub(hold.started + hold.duration);
            let end = match hold.ongoing {
                true if unknown <= AT_THE_END => ", and the record ends",
                true => ", and its end is missing",
                false => "",
            };
            writeln!(f, "  {at}  {}{end}", plain(hold))?;
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
            writeln!(f, "  {}", plain(victim))?;
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
            let at = self.when(place.at);
            let routes: Vec<_> = place.routes.iter().map(ToString::to_string).collect();
            let routes = plain(routes.join(", "));
            let name = plain(&place.name);
            writeln!(f, "  {at}  {} at {name}: {routes}", place.requests)?;
        }
        Ok(())
    }
}

/// What a record tells, as a terminal may have it: a record may be damaged, or made by anybody.
fn plain(told: impl fmt::Display) -> String {
    without_controls(&told.to_string())
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

#[cfg(test)]
mod tests {
    use holdup_model::{
        AwaitPoint, Culprit, Event, Hold, HoldKind, Line, OpenRequest, Part, RequestState, Victim,
        waits,
    };

    use super::super::entry::{Load, Missing, Victims};
    use super::super::fixture::segment;
    use super::*;

    const DAY: u64 = 86_400;

    fn summary(origin: u64, entries: Vec<Entry>) -> String {
        let segment = segment(origin * 1000, entries);
        let record = Record::of(vec![segment]).expect("a segment");
        Summary(&record).to_string()
    }

    fn hold(at: u64) -> Entry {
        let (at, lasted) = (Duration::from_secs(at), Duration::from_secs(2));
        let mut hold = Hold::new(HoldKind::Blocked, 0, at, lasted);
        hold.ongoing = false;
        Entry::Event(Event::Released(hold))
    }

    #[test]
    fn times_have_a_date_if_the_record_has_more_than_one_day() {
        let one = summary(0, vec![hold(60), hold(DAY - 10)]);
        assert!(
            one.contains("from 1970-01-01 00:00:00 UTC to 23:59:52"),
            "{one}"
        );
        assert!(one.contains("\n  00:01:00  "), "{one}");
        let two = summary(0, vec![hold(60), hold(DAY - 1)]);
        assert!(two.contains("UTC to 1970-01-02 00:00:01 ("), "{two}");
        assert!(two.contains("\n  1970-01-01 23:59:59  "), "{two}");
    }

    #[test]
    fn what_a_record_tells_controls_no_terminal() {
        let hostile = "/a\u{1b}]0;title\u{7}\r\nb\u{9b}2J";
        let mut held = Hold::new(HoldKind::Blocked, 0, Duration::ZERO, Duration::from_secs(1));
        held.culprits = vec![Culprit::new("GET", hostile, Part::Body, held.duration)];
        held.lines = vec![Line::new(hostile)];
        let route = RouteName::new("GET\u{1b}", hostile);
        let victim = Victim::new(route.clone(), Some(route.clone()), 3, held.duration);
        let state = RequestState::Waiting {
            since: Duration::ZERO,
            at: vec![AwaitPoint::new(
                Some(Line::new(hostile)),
                Some(hostile.to_owned()),
                Vec::new(),
            )],
        };
        let request = OpenRequest::new(1, 0, route, held.duration, state);
        let at = Duration::from_secs(1);
        let mut segment = segment(
            0,
            vec![
                Entry::Event(Event::Released(held)),
                Entry::Victims(Victims {
                    at,
                    victims: vec![victim],
                }),
                Entry::Survey(Survey {
                    at,
                    waits: waits(&[request], Duration::ZERO, Duration::ZERO),
                    more: 0,
                    requests: Vec::new(),
                    more_requests: 0,
                }),
            ],
        );
        segment.header.holdup = hostile.to_owned();
        let record = Record {
            unreadable: vec![hostile.into()],
            ..Record::of(vec![segment]).expect("a segment")
        };
        let told = Summary(&record).to_string();
        assert!(
            !told.contains(|c: char| c.is_control() && c != '\n'),
            "{told:?}"
        );
        let shown = "/a\u{fffd}]0;title\u{fffd}\u{fffd}\u{fffd}b\u{fffd}2J";
        // The version, the file, the hold and its line, the two routes, and the place with its function and its route.
        assert_eq!(told.matches(shown).count(), 9, "{told}");
    }

    #[test]
    fn each_gap_is_told() {
        let load = |at: u64, left_out| {
            Entry::Load(Load {
                at: Duration::from_secs(at),
                workers: Vec::new(),
                requests: 9,
                finished: 9,
                unfinished: 0,
                left_out,
            })
        };
        let at = Duration::from_secs(3);
        let told = summary(
            0,
            vec![
                load(1, 2),
                load(2, 5),
                Entry::Missing(Missing { at, lines: 1 }),
                Entry::Event(Event::Lost { events: 7 }),
                Entry::Event(Event::Lost { events: u64::MAX }),
            ],
        );
        for says in [
            "1 line is missing: it could not be written.\n",
            "18446744073709551615 events were lost, because they came too fast.\n",
            "5 requests were only counted, because there were too many.\n",
        ] {
            assert!(told.contains(says), "{says}: {told}");
        }
        let complete = summary(0, vec![load(1, 0)]);
        assert_eq!(complete.matches('\n').count(), 3, "{complete}");
    }
}
