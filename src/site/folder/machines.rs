//! `machines.csv` (SITE.md 3): the machines of a site, one a line. Read with every error at once, since a list of thousands
//! that is mended line by line is never mended.

use crate::fields::cut;
use crate::site::ids::{MachineId, SiteCode};
use crate::site::index::members::{MAX_GROUPS, Member, is_group, is_host, is_state};
use crate::site::signed::signers::{Key, ed25519};
use crate::terms::Problem;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Its name in a site folder.
pub const NAME: &str = "machines.csv";
/// The largest list that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;
/// The most machines of a site.
pub const MAX_MACHINES: usize = 1_000_000;
/// The most problems that are said.
const MAX_PROBLEMS: usize = 1_000;
/// The columns, as the first line names them.
pub const COLUMNS: [&str; 6] = ["smsid", "host", "groups", "host_key", "words", "adopt"];
/// So many of them every list has; the last one is written where a machine was replaced.
const USUAL: usize = 5;
const MALFORMED: &str = "malformed";

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its id.
    pub id: MachineId,
    /// Its host name.
    pub host: Option<String>,
    /// Its groups, sorted.
    pub groups: Vec<String>,
    /// The public half of its SSH host key.
    pub host_key: Option<String>,
    /// What the publisher notes of it; machines never see it.
    pub words: String,
    /// The state of its history in which it may go on once, with all that is listed taken for done (SITE.md 5).
    pub adopt: Option<String>,
}

impl Machine {
    /// Of this id, and nothing else is known of it.
    pub fn new(id: MachineId) -> Self {
        Self { id, host: None, groups: Vec::new(), host_key: None, words: String::new(), adopt: None }
    }

    /// Takes what a list says of it in so many columns; what stands in none of them stays as it is.
    pub fn take(&mut self, new: Machine, columns: usize) {
        let Machine { id: _, host, groups, host_key, words, adopt } = new;
        if columns > 1 {
            self.host = host;
        }
        if columns > 2 {
            self.groups = groups;
        }
        if columns > 3 {
            self.host_key = host_key;
        }
        if columns > 4 {
            self.words = words;
        }
        if columns > 5 {
            self.adopt = adopt;
        }
    }

    /// What machines read of it.
    pub fn member(&self) -> Member {
        Member {
            machine: self.id,
            host: self.host.clone(),
            adopt: self.adopt.clone(),
            groups: self.groups.clone(),
        }
    }

    /// The same, where nothing else of it is wanted.
    pub fn into_member(self) -> Member {
        Member { machine: self.id, host: self.host, adopt: self.adopt, groups: self.groups }
    }
}

/// The machines of a site, by their ids.
pub type Machines = BTreeMap<MachineId, Machine>;

/// Reads a list. A first line that names the columns may be there.
///
/// # Errors
/// Every line that is wrong, each with what is wrong with it.
pub fn parse(bytes: &[u8], site: SiteCode, file: &str) -> Result<Machines, Vec<Problem>> {
    let mut all = Vec::new();
    each(bytes, site, file, |machine, _| all.push((machine.id, machine)))?;
    Ok(all.into_iter().collect())
}

/// The same, with how many columns each line has: what stands in none of them is not said.
///
/// # Errors
/// As [`parse`].
pub fn parse_columns(
    bytes: &[u8],
    site: SiteCode,
    file: &str,
) -> Result<BTreeMap<MachineId, (Machine, usize)>, Vec<Problem>> {
    let mut all = Vec::new();
    each(bytes, site, file, |machine, columns| all.push((machine.id, (machine, columns))))?;
    Ok(all.into_iter().collect())
}

/// Hands over each machine of a list, with how many columns its line has. A map that is made of all of them at once takes half
/// of the room of one that grows.
fn each(
    bytes: &[u8],
    site: SiteCode,
    file: &str,
    mut take: impl FnMut(Machine, usize),
) -> Result<(), Vec<Problem>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![Problem::of_file(MALFORMED, file, format!("larger than {MAX_BYTES} bytes"))]);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Tables of the size that they get: of one that grows, everything is moved each time.
    let lines = bytes.split(|b| *b == b'\n').count().min(MAX_MACHINES);
    let (mut ids, mut problems) = (HashSet::with_capacity(lines), Vec::new());
    let (mut named, mut most) = (1, USUAL);
    let mut hosts: HashMap<Cow<'_, str>, MachineId> = HashMap::with_capacity(lines);
    for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let mut wrong = |message: String| {
            let problem = Problem { line: Some(number), ..Problem::of_file(MALFORMED, file, message) };
            problems.push(problem);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            wrong("this line is not UTF-8: save the file as UTF-8".into());
            continue;
        };
        if number == 1 && is_header(line) {
            (named, most) = (line.split(',').count(), most_columns(line));
            continue;
        }
        if is_note(line) {
            continue;
        }
        match machine(line, site, most) {
            Ok((machine, columns)) => {
                let host = machine.host.as_deref().map(|host| in_lower_case(line, host));
                if let Some(other) = host.and_then(|host| hosts.insert(host, machine.id)) {
                    let host = machine.host.as_deref().unwrap_or_default();
                    wrong(format!("{other} has the host name {host}, too: which one would {host} be?"));
                }
                if ids.len() >= MAX_MACHINES {
                    wrong(format!("more than {MAX_MACHINES} machines"));
                    break;
                }
                if !ids.insert(machine.id) {
                    wrong(format!("{} stands there twice", machine.id));
                }
                take(machine, columns.max(named));
            }
            Err(all) => all.into_iter().for_each(&mut wrong),
        }
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A host name as it is compared. Nearly every list has it so: nothing of its line is copied.
fn in_lower_case<'a>(line: &'a str, host: &str) -> Cow<'a, str> {
    let field = line.split(',').nth(1).map(str::trim);
    match field.filter(|field| *field == host && !field.bytes().any(|b| b.is_ascii_uppercase())) {
        Some(field) => Cow::Borrowed(field),
        None => Cow::Owned(host.to_ascii_lowercase()),
    }
}

/// A line of whoever reads the list, which no machine stands in.
fn is_note(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// How many columns a list has at most whose first line is this. The last one counts only where that names it: a comma too
/// many is a slip of the pen.
fn most_columns(first: &str) -> usize {
    let last = first.split(',').nth(USUAL).map(str::trim);
    match is_header(first) && last.is_some_and(|last| last.eq_ignore_ascii_case(COLUMNS[USUAL])) {
        true => COLUMNS.len(),
        false => USUAL,
    }
}

fn is_header(line: &str) -> bool {
    line.split(',').next().is_some_and(|first| first.trim().eq_ignore_ascii_case(COLUMNS[0]))
}

/// One line and how many columns it has, or everything that is wrong with it.
fn machine(line: &str, site: SiteCode, most: usize) -> Result<(Machine, usize), Vec<String>> {
    let fields = split(line).map_err(|why| vec![why])?;
    if fields.len() > most {
        return Err(vec![format!("{} columns; wanted {}", fields.len(), header(most > USUAL))]);
    }
    let mut problems = Vec::new();
    let field = |n: usize| fields.get(n).map(|text| text.trim()).unwrap_or_default();
    let id = match field(0).parse::<MachineId>() {
        Ok(id) if id.site() == site => Some(id),
        Ok(id) => {
            problems.push(format!("{id} is of site {}, and this is site {site}", id.site()));
            None
        }
        Err(e) => {
            problems.push(e.to_string());
            None
        }
    };
    let host = check_host(field(1)).unwrap_or_else(|why| {
        problems.push(why);
        None
    });
    let groups = check_groups(field(2).split_whitespace()).unwrap_or_else(|why| {
        problems.push(why);
        Vec::new()
    });
    let host_key = check_key(field(3)).unwrap_or_else(|why| {
        problems.push(why);
        None
    });
    let words = field(4);
    if words.chars().any(char::is_control) {
        problems.push("its words hold a control character".into());
    }
    let adopt = match field(5) {
        "" => None,
        state if is_state(state) => Some(state.to_owned()),
        state => {
            problems.push(format!("{:?} is no state of a machine", cut(state, 60)));
            None
        }
    };
    match id {
        Some(id) if problems.is_empty() => {
            let words = words.to_owned();
            Ok((Machine { id, host, groups, host_key, words, adopt }, fields.len()))
        }
        _ => Err(problems),
    }
}

/// A host name; an empty text is none.
///
/// # Errors
/// What was wanted.
pub fn check_host(text: &str) -> Result<Option<String>, String> {
    match text {
        "" | "-" => Ok(None),
        host if is_host(host) => Ok(Some(host.to_owned())),
        host => Err(format!("{:?} is no host name", cut(host, 60))),
    }
}

/// Groups, sorted, each once.
///
/// # Errors
/// What was wanted.
pub fn check_groups<'a>(groups: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut all: Vec<&str> = Vec::new();
    for group in groups {
        if group == "all" {
            return Err("every machine is in group all: it is not written".into());
        }
        if !is_group(group) {
            return Err(format!("{:?} is no name of a group: wanted a-z, 0-9, - and _", cut(group, 40)));
        }
        all.push(group);
    }
    all.sort_unstable();
    all.dedup();
    match all.len() {
        n if n > MAX_GROUPS => Err(format!("{n} groups; at most {MAX_GROUPS}")),
        _ => Ok(all.into_iter().map(str::to_owned).collect()),
    }
}

/// Checks a host key as `machines.csv` has it; empty: none.
///
/// # Errors
/// It is no key that is believed.
pub fn check_key(text: &str) -> Result<Option<String>, String> {
    match text {
        "" => Ok(None),
        text if ed25519(text).is_some() => Ok(Some(text.to_owned())),
        text => match Key::read(text) {
            Ok(_) => Ok(Some(text.to_owned())),
            Err(distrust) => Err(format!("its host key cannot be used: {}", distrust.why)),
        },
    }
}

/// The fields of a line: divided by commas, quotes group, a doubled quote is one.
fn split(line: &str) -> Result<Vec<Cow<'_, str>>, String> {
    // Most lists have no quote at all: nothing of them is copied.
    if !line.contains('"') {
        return Ok(line.split(',').map(Cow::Borrowed).collect());
    }
    let mut fields = vec![String::new()];
    let (mut quoted, mut chars) = (false, line.chars().peekable());
    while let Some(c) = chars.next() {
        // There is always a last one.
        let Some(field) = fields.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    if quoted {
        Err("a quote is not closed".into())
    } else {
        Ok(fields.into_iter().map(Cow::Owned).collect())
    }
}

/// The text of a list, sorted by id, which [`parse`] reads back to the same.
pub fn render<'a>(machines: impl IntoIterator<Item = &'a Machine>) -> String {
    let machines: Vec<&Machine> = machines.into_iter().collect();
    let mut out = header(machines.iter().any(|machine| machine.adopt.is_some()));
    out.push('\n');
    for machine in machines {
        out.push_str(&line_of(machine));
        out.push('\n');
    }
    out
}

/// The names of the columns; the last one where a machine has it.
fn header(adopt: bool) -> String {
    COLUMNS[..if adopt { COLUMNS.len() } else { USUAL }].join(",")
}

fn line_of(machine: &Machine) -> String {
    let fields = [
        machine.id.to_string(),
        machine.host.clone().unwrap_or_default(),
        machine.groups.join(" "),
        machine.host_key.clone().unwrap_or_default(),
        machine.words.clone(),
        machine.adopt.clone().unwrap_or_default(),
    ];
    let mut line = fields.iter().map(|field| quote(field)).collect::<Vec<_>>().join(",");
    line.truncate(line.trim_end_matches(',').len());
    line
}

/// The list as it was with other machines: notes, order and the lines of those that did not change stay as somebody wrote them.
/// A new one stands after the one whose id is the next below its own.
pub fn render_over(old: &str, site: SiteCode, machines: &Machines) -> String {
    let (text, bom) = old.strip_prefix('\u{FEFF}').map_or((old, ""), |text| (text, "\u{FEFF}"));
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let adopt = machines.values().any(|machine| machine.adopt.is_some());
    let most = most_columns(text.lines().next().unwrap_or_default());
    let mut lines: Vec<(Option<MachineId>, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let read = match is_note(line) || number == 0 && is_header(line) {
            true => None,
            false => machine(line, site, most).ok().map(|(machine, _)| machine),
        };
        match read {
            None if adopt && number == 0 && is_header(line) => lines.push((None, header(true))),
            None => lines.push((None, line.to_owned())),
            Some(old) => match machines.get(&old.id) {
                Some(now) if *now == old => lines.push((Some(old.id), line.to_owned())),
                Some(now) => lines.push((Some(old.id), line_of(now))),
                None => {}
            },
        }
    }
    if adopt && !text.lines().next().is_some_and(is_header) {
        lines.insert(0, (None, header(true)));
    }
    let there: BTreeSet<MachineId> = lines.iter().filter_map(|(id, _)| *id).collect();
    // Before which line of the list each new one comes; the notes above a machine stay above it.
    let mut new: BTreeMap<Option<MachineId>, Vec<&Machine>> = BTreeMap::new();
    for machine in machines.values().filter(|machine| !there.contains(&machine.id)) {
        new.entry(there.range(..machine.id).next_back().copied()).or_default().push(machine);
    }
    let first = new.remove(&None).unwrap_or_default();
    let mut out = String::from(bom);
    let mut push = |line: &str| {
        out.push_str(line);
        out.push_str(end);
    };
    // Those before all others: below the notes at its beginning.
    let top = lines.iter().position(|(id, _)| id.is_some()).unwrap_or(lines.len());
    if lines.is_empty() {
        push(&header(adopt));
    }
    for (number, (id, line)) in lines.iter().enumerate() {
        if number == top {
            first.iter().for_each(|machine| push(&line_of(machine)));
        }
        push(line);
        for machine in id.and_then(|id| new.remove(&Some(id))).unwrap_or_default() {
            push(&line_of(machine));
        }
    }
    if top == lines.len() {
        first.iter().for_each(|machine| push(&line_of(machine)));
    }
    out
}

fn quote(field: &str) -> String {
    match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Machines, Vec<String>> {
        let problems =
            |all: Vec<Problem>| all.iter().map(|p| format!("{}: {}", p.line.unwrap(), p.message)).collect();
        parse(text.as_bytes(), "BP0".parse().unwrap(), "f").map_err(problems)
    }

    #[test]
    fn a_list_may_come_from_a_spreadsheet() {
        let text = "\u{FEFF}SMSID,host,groups,host_key,words\r\nbp004001,web-02,web paris web,,\"in \"\"b\"\", rack 7\"\r\n\
                    BP004000\n# a note\n\nBP004002,-,,,\n";
        let machines = read(text).unwrap();
        let ids: Vec<String> = machines.keys().map(ToString::to_string).collect();
        assert_eq!(ids, ["BP004000", "BP004001", "BP004002"]);
        let second = machines.values().nth(1).unwrap();
        assert_eq!(
            (second.groups.join(" ").as_str(), second.words.as_str()),
            ("paris web", "in \"b\", rack 7")
        );
        assert_eq!(read(&render(machines.values())).unwrap(), machines);
    }

    #[test]
    fn what_somebody_wrote_into_a_list_stays_when_it_changes() {
        let site = "BP0".parse().unwrap();
        let old = "# mine\nBP004000,web-00 ,web\n\n# rack 7\nBP004005,db-05,\"db\",,\"a, b\"\nBP004003\n";
        let mut machines = read(old).unwrap();
        assert_eq!(render_over(old, site, &machines), old, "nothing changed");
        let id = |id: &str| -> MachineId { id.parse().unwrap() };
        for new in ["BP003000", "BP004004", "BP004006"] {
            machines.insert(id(new), Machine::new(id(new)));
        }
        machines.get_mut(&id("BP004003")).unwrap().host = Some("x".into());
        machines.remove(&id("BP004000"));
        let new = render_over(old, site, &machines);
        assert_eq!(
            new,
            "# mine\n\n# rack 7\nBP003000\nBP004005,db-05,\"db\",,\"a, b\"\nBP004006\nBP004003,x\nBP004004\n"
        );
        assert_eq!(read(&new).unwrap(), machines);
        let spreadsheet = "\u{FEFF}smsid,host\r\nBP004000,a\r\n";
        let mut machines = read(spreadsheet).unwrap();
        machines.insert(id("BP004001"), Machine::new(id("BP004001")));
        assert_eq!(render_over(spreadsheet, site, &machines), format!("{spreadsheet}BP004001\r\n"));
        assert_eq!(render_over("", site, &machines), render(machines.values()));
        assert_eq!(render_over("# mine\n", site, &machines), "# mine\nBP004000,a\nBP004001\n");
    }

    #[test]
    fn the_state_to_be_adopted_is_a_column_of_its_own_where_one_is() {
        let rows = "BP004000,web,,,words,00f100f100f100f100f100f100f100f1\nBP004001\n";
        assert!(read(rows).unwrap_err()[0].contains("6 columns"), "a comma too many");
        let machines = read(&format!("smsid,host,groups,host_key,words,adopt\n{rows}")).unwrap();
        let written = render(machines.values());
        assert_eq!(
            written,
            "smsid,host,groups,host_key,words,adopt\nBP004000,web,,,words,00f100f100f100f100f100f100f100f1\nBP004001\n"
        );
        assert_eq!(read(&written).unwrap(), machines);
        let over =
            render_over("smsid,host,groups,host_key,words\nBP004001\n", "BP0".parse().unwrap(), &machines);
        assert_eq!(read(&over).unwrap(), machines);
        assert!(over.starts_with("smsid,host,groups,host_key,words,adopt\n"), "{over}");
        let part = crate::site::index::members::render_part(&[machines.values().next().unwrap().member()]);
        assert_eq!(part, "BP004000 web 00f100f100f100f100f100f100f100f1\n");
        for wrong in ["BP004000,,,,,a b", "BP004000,,,,,-", "BP004000,,,,,a,b", "BP004000,,,,,see-me"] {
            assert!(read(&format!("{}\n{wrong}", header(true))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_error_is_said_at_once() {
        let text = "smsid,host\nBP004000,we b\nXX004000\nBP004\nBP004001,a,Web,\nBP004002,b\nBP004002,c\nBP004003,B\n\
                    BP004005,d,web,nonsense\nBP004006,e,all\nBP004007,\"f\nBP004008,g,h,,i,j\n";
        let problems = read(text).unwrap_err();
        let lines: Vec<&str> = problems.iter().map(|p| p.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["2", "3", "4", "5", "7", "8", "9", "10", "11", "12"], "{problems:#?}");
        assert!(problems[5].contains("BP004002 has the host name B, too"), "{problems:#?}");
    }

    proptest! {
        #[test]
        fn any_machines_are_read_as_they_are_written(words in "[ -~]{0,20}", groups in prop::collection::btree_set("[a-z][a-z0-9_-]{0,5}", 0..4)) {
            let mut machine = Machine::new("BP004000".parse().unwrap());
            machine.words = words.trim().to_owned();
            machine.groups = groups.into_iter().filter(|g| g != "all").collect();
            let over = render_over("BP004000,x\n", "BP0".parse().unwrap(), &[(machine.id, machine.clone())].into());
            prop_assert_eq!(format!("{}\n{over}", header(false)), render([&machine]));
            let read = parse(render([&machine]).as_bytes(), "BP0".parse().unwrap(), "f");
            prop_assert_eq!(read.unwrap().into_values().collect::<Vec<_>>(), vec![machine]);
        }
    }
}
