//! One `[[request]]` after the other: fields, contradictions, command lines, duplicates.

use super::times::times;
use super::{Defaults, Element, how};
use crate::clock::{Wall, When};
use crate::fields::{self, Fields, Source};
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::site::instruction::{Entry, Program, Rejected, Request, command};
use crate::terms::{Code, Problem};
use std::collections::BTreeMap;
use toml::de::DeValue;

/// The most problems kept of one request: a thousand hostile ones must not fill the memory.
const MAX_PROBLEMS: usize = 20;

/// Collects the requests of one file.
pub(super) struct Reader<'s, 't> {
    source: &'s Source<'t>,
    defaults: &'s Defaults,
    issued: Wall,
    entries: Vec<Entry>,
    /// What the entries say, without places: to tell identical ones from differing ones.
    said: Vec<String>,
    lines: Vec<u32>,
    warnings: Vec<Problem>,
}

impl<'s, 't> Reader<'s, 't> {
    pub(super) fn new(source: &'s Source<'t>, defaults: &'s Defaults, issued: Wall) -> Self {
        Self {
            source,
            defaults,
            issued,
            entries: Vec::new(),
            said: Vec::new(),
            lines: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads the request with this number, counted from 1.
    pub(super) fn add(&mut self, number: usize, element: Element<'s, 't>) {
        let path = format!("request[{number}]");
        let at = element.span().start;
        self.lines.push(self.source.line(at));
        self.said.push(canonical(element.get_ref()));
        let DeValue::Table(table) = element.get_ref() else {
            let message = format!("wanted a [[request]] table, found {}", fields::found(element.get_ref()));
            let problems = vec![self.source.problem(at, Some(&path), message)];
            self.entries.push(Entry::Rejected(Rejected { problems, ..Rejected::default() }));
            return;
        };
        let mut fields = Fields::at(self.source, table, path, at);
        let read = self.request(&mut fields);
        self.warnings.extend(fields.unknown());
        if read.as_ref().is_ok_and(names_a_file_that_is_not_copied) {
            let message = "the program is a file of the package, and without content_sha256 nothing is copied: \
                           it cannot be started";
            let field = format!("request[{number}].command_line");
            let at = table.get("command_line").map_or(at, |v| v.span().start);
            self.warnings.push(self.source.problem(at, Some(&field), message));
        }
        let mut problems = fields.finish();
        problems.truncate(MAX_PROBLEMS);
        self.entries.push(match read {
            Ok(request) if problems.is_empty() => Entry::Good(Box::new(request)),
            Ok(request) => Entry::Rejected(rejected(&request, problems)),
            Err(unusable) => Entry::Rejected(Rejected { problems, ..unusable }),
        });
    }

    /// The entries with duplicates settled, and the warnings.
    pub(super) fn finish(mut self) -> (Vec<Entry>, Vec<Problem>) {
        let mut places: BTreeMap<RequestId, Vec<usize>> = BTreeMap::new();
        for (i, entry) in self.entries.iter().enumerate() {
            if let Some(id) = id_of(entry) {
                places.entry(id).or_default().push(i);
            }
        }
        let mut dropped = vec![false; self.entries.len()];
        for (id, places) in places.iter().filter(|(_, places)| places.len() > 1) {
            if places.iter().all(|other| self.identical(places[0], *other)) {
                for other in &places[1..] {
                    dropped[*other] = true;
                }
                continue;
            }
            for place in places {
                let others = places.iter().filter(|p| *p != place).take(5);
                let others: Vec<_> = others.map(|p| self.lines[*p].to_string()).collect();
                self.reject_duplicate(
                    *place,
                    format!("{id} is also at line {} and differs", others.join(", ")),
                );
            }
        }
        let mut dropped = dropped.into_iter();
        self.entries.retain(|_| !dropped.next().unwrap_or(false));
        (self.entries, self.warnings)
    }

    fn identical(&self, a: usize, b: usize) -> bool {
        match (&self.entries[a], &self.entries[b]) {
            (Entry::Good(a), Entry::Good(b)) => {
                let unplaced = |r: &Request| Request { line: 0, ..r.clone() };
                unplaced(a) == unplaced(b)
            }
            (Entry::Rejected(_), Entry::Rejected(_)) => self.said[a] == self.said[b],
            _ => false,
        }
    }

    fn reject_duplicate(&mut self, place: usize, message: String) {
        let problem = Problem {
            line: Some(self.lines[place]),
            field: Some(format!("request[{}].request_id", place + 1).into()),
            ..Problem::of_file(Code::Duplicate.as_str(), self.source.file.clone(), message)
        };
        let entry = &mut self.entries[place];
        match entry {
            Entry::Rejected(rejected) => rejected.problems.push(problem),
            Entry::Good(request) => *entry = Entry::Rejected(rejected(request, vec![problem])),
        }
    }

    /// All fields of one request, every problem in `f`. Err: what could be read where the rest is unusable.
    fn request(&self, f: &mut Fields<'s, 't>) -> Result<Request, Rejected> {
        let request_id = f.need("request_id", fields::parsed::<RequestId>);
        let job_id = f.need("job_id", fields::parsed::<JobId>);
        let package_id = f.need("package_id", fields::parsed::<PackageId>);
        let package = f.need("package", fields::words);
        let command = f.need("command", fields::words);
        let command_line = how::command_line(f, &self.defaults.programs);
        let how = how::how(f);
        let times = times(f);
        let depends_on = how::list_of(f, "depends_on", fields::parsed::<RequestId>);
        let suspended = f.get("suspended", fields::boolean).unwrap_or(false);
        let content_sha256 = f.get("content_sha256", how::content_hash);
        if let Some(id) = request_id
            && depends_on.contains(&id)
        {
            f.wrong_as("contradiction", "depends_on", format!("{id} depends on itself"));
        }

        let unusable = Rejected {
            request_id,
            job_id,
            package_id,
            package: package.clone(),
            command: command.clone(),
            problems: Vec::new(),
        };
        let (Some(request_id), Some(job_id), Some(package_id)) = (request_id, job_id, package_id) else {
            return Err(unusable);
        };
        let (Some(package), Some(command), Some(command_line)) = (package, command, command_line) else {
            return Err(unusable);
        };
        Ok(Request {
            request_id,
            job_id,
            package_id,
            package,
            command,
            command_line,
            automated: how.automated,
            background: how.background,
            offer_after: times.offer.unwrap_or(When::Instant(self.issued)),
            mandatory_after: times.mandatory,
            expire_after: times.expire,
            platforms: how.platforms,
            run_when: how.run_when,
            max_run_time: how.max_run_time.unwrap_or(self.defaults.max_run_time),
            restarts: how.restarts,
            ignore_windows: how.ignore_windows,
            disk_space: how.disk_space,
            depends_on,
            suspended,
            content_sha256,
            exit_codes: how.exit_codes,
            line: f.line(),
        })
    }
}

/// Such a request could only fail. Names on the list of any platform are left alone: the file may be for another one.
fn names_a_file_that_is_not_copied(request: &Request) -> bool {
    let Program::InPackage(path) = &request.command_line.program else { return false };
    let mut listed = ["linux", "windows"].iter().flat_map(|os| command::platform_programs(os));
    request.content_sha256.is_none() && !listed.any(|name| name.eq_ignore_ascii_case(path))
}

fn rejected(request: &Request, problems: Vec<Problem>) -> Rejected {
    Rejected {
        request_id: Some(request.request_id),
        job_id: Some(request.job_id),
        package_id: Some(request.package_id),
        package: Some(request.package.clone()),
        command: Some(request.command.clone()),
        problems,
    }
}

fn id_of(entry: &Entry) -> Option<RequestId> {
    match entry {
        Entry::Good(request) => Some(request.request_id),
        Entry::Rejected(rejected) => rejected.request_id,
    }
}

/// A value as one text without its places.
fn canonical(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Table(table) => {
            let entries = table.iter().map(|(k, v)| format!("{:?}={}", k.get_ref(), canonical(v.get_ref())));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        DeValue::Array(array) => {
            let elements = array.iter().map(|v| canonical(v.get_ref()));
            format!("[{}]", elements.collect::<Vec<_>>().join(","))
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
    }
}
