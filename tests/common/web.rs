//! A web server on this machine that can fail in every way: it gives the files of a folder, or stands before another server.
//! What it was asked is kept. And a real S3 server, `moto_server`.

use super::{skipped, wait_for_or};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How it fails, where a path has a word in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The request is taken, and nothing comes back.
    Hang,
    /// This status, and these headers.
    Status(u16, String),
    /// This status, these headers, and a body as S3 writes it, with this word.
    Code(u16, String, &'static str),
    /// The body ends after so many bytes, and each time it is asked for again.
    Cut(usize),
    /// The first answer is cut, the next ones are not.
    CutOnce(usize),
    /// The body says to be so long, and goes on and on.
    Endless(u64),
    /// Without any length.
    Unsized,
    /// It is handed on and done, and the connection ends without a word; once.
    Swallow,
    /// An answer that begins, and goes on byte by byte without an end.
    Trickle,
    /// The answer begins as it should, and its body comes byte by byte.
    Drip,
    /// This status and these headers, once.
    StatusOnce(u16, String),
    /// Another tag each time.
    WrongTag,
    /// Bytes that are not those of the file.
    Other(Vec<u8>),
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// In lower case, a line each.
    pub headers: String,
    pub status: u16,
}

#[derive(Clone)]
enum From {
    Folder(PathBuf),
    Server(u16),
}

struct Inner {
    from: Mutex<From>,
    fault: Mutex<Option<(String, Fault)>>,
    asked: Mutex<Vec<Asked>>,
}

/// A server; its thread ends with the test.
#[derive(Clone)]
pub struct Web {
    pub port: u16,
    inner: Arc<Inner>,
}

impl Web {
    /// Gives the files of a folder.
    pub fn of_folder(folder: &Path) -> Self {
        Self::start(From::Folder(folder.to_owned()))
    }

    /// Stands before the server at this port.
    pub fn before(port: u16) -> Self {
        Self::start(From::Server(port))
    }

    fn start(from: From) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner =
            Arc::new(Inner { from: Mutex::new(from), fault: Mutex::default(), asked: Mutex::default() });
        let web = Self { port, inner };
        let one = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let web = one.clone();
                std::thread::spawn(move || web.serve(stream));
            }
        });
        web
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it gives the files of another folder.
    pub fn give(&self, folder: &Path) {
        *self.inner.from.lock().unwrap() = From::Folder(folder.to_owned());
    }

    /// Fails from now on where method and path, as in `GET /PCM.INDEX`, have this in them.
    pub fn fail(&self, path: &str, fault: Fault) {
        *self.inner.fault.lock().unwrap() = Some((path.to_owned(), fault));
    }

    /// Does what it should.
    pub fn mend(&self) {
        *self.inner.fault.lock().unwrap() = None;
    }

    /// What it was asked so far.
    pub fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.inner.asked.lock().unwrap()
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers = head.to_lowercase();
        let length = header(&headers, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let asks = format!("{method} {path}");
        let fault = self.inner.fault.lock().unwrap().clone().filter(|(word, _)| asks.contains(word.as_str()));
        let fault = fault.map(|(_, fault)| fault);
        let from = self.inner.from.lock().unwrap().clone();
        let note = |status: u16| {
            let (method, path, headers) = (method.clone(), path.clone(), headers.clone());
            self.asked().push(Asked { method, path, headers, status });
        };
        match &fault {
            Some(Fault::Hang) => {
                note(0);
                // Until whoever asked has enough.
                let _ = stream.read(&mut [0; 1]);
                return None;
            }
            Some(Fault::Trickle) => {
                note(0);
                stream.write_all(b"HTTP/1.1 200 OK\r\nx-more: ").ok()?;
                while stream.write_all(b"x").is_ok() {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
                return None;
            }
            Some(Fault::Status(status, more) | Fault::StatusOnce(status, more)) => {
                note(*status);
                if matches!(fault, Some(Fault::StatusOnce(..))) {
                    self.mend();
                }
                let answer =
                    format!("HTTP/1.1 {status} x\r\n{more}connection: close\r\ncontent-length: 0\r\n\r\n");
                return stream.write_all(answer.as_bytes()).ok();
            }
            Some(Fault::Code(status, more, code)) => {
                note(*status);
                let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
                let answer = format!(
                    "HTTP/1.1 {status} x\r\n{more}connection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                return stream.write_all((answer + &body).as_bytes()).ok();
            }
            Some(Fault::Endless(length)) => {
                note(200);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\netag: \"e\"\r\ncontent-length: {length}\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).ok()?;
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
                return None;
            }
            _ => {}
        }
        // What has a body that is wrong has a body.
        let anew = matches!(
            fault,
            Some(Fault::Cut(_) | Fault::Other(_) | Fault::WrongTag | Fault::Unsized | Fault::Drip)
        );
        let headers = if anew { headers.replace("if-none-match", "x-none") } else { headers.clone() };
        let (status, mut fields, bytes) = match from {
            From::Folder(folder) => of_folder(&folder, &method, &path, &headers),
            From::Server(port) => of_server(port, &head, &body)?,
        };
        note(status);
        if matches!(fault, Some(Fault::Swallow)) {
            self.mend();
            return None;
        }
        let mut sent = bytes.clone();
        match fault {
            Some(Fault::WrongTag) => {
                let n = self.asked().len();
                fields = fields
                    .lines()
                    .filter(|line| !line.to_lowercase().starts_with("etag"))
                    .fold(String::new(), |all, line| all + line + "\r\n")
                    + &format!("etag: \"wrong{n}\"\r\n");
            }
            Some(Fault::Other(ref other)) => sent = other.clone(),
            _ => {}
        }
        let length = match fault {
            Some(Fault::Unsized) => String::new(),
            _ if method == "HEAD" => fields_length(&fields),
            _ => format!("content-length: {}\r\n", sent.len()),
        };
        let fields: String = fields
            .lines()
            .filter(|line| !line.to_lowercase().starts_with("content-length"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        match fault {
            Some(Fault::Cut(n)) => sent.truncate(n),
            Some(Fault::CutOnce(n)) => {
                sent.truncate(n);
                self.mend();
            }
            _ => {}
        }
        let answer = format!("HTTP/1.1 {status} x\r\n{fields}{length}connection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok()?;
        if matches!(fault, Some(Fault::Drip)) {
            for byte in &sent {
                stream.write_all(&[*byte]).ok()?;
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
        } else if method != "HEAD" {
            stream.write_all(&sent).ok()?;
        }
        Some(())
    }
}

fn header<'h>(headers: &'h str, name: &str) -> Option<&'h str> {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn fields_length(fields: &str) -> String {
    fields
        .lines()
        .find(|line| line.to_lowercase().starts_with("content-length"))
        .map_or(String::new(), |line| format!("{line}\r\n"))
}

/// A file as a web server gives it: with a tag, under a condition, in part.
fn of_folder(folder: &Path, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    if !matches!(method, "GET" | "HEAD") {
        return (405, String::new(), Vec::new());
    }
    let path = path.trim_start_matches('/').replace("%20", " ");
    let Ok(bytes) = fs::read(folder.join(path)) else { return (404, String::new(), Vec::new()) };
    let tag = format!("\"{}\"", super::sha256(&bytes));
    let fields = format!(
        "etag: {tag}\r\nlast-modified: Tue, 24 Nov 2026 08:00:00 GMT\r\ncontent-length: {}\r\n",
        bytes.len()
    );
    if header(headers, "if-none-match") == Some(&tag) {
        return (304, fields, Vec::new());
    }
    let range = header(headers, "range").and_then(|range| range.strip_prefix("bytes="));
    if let Some((from, to)) = range.and_then(|range| range.split_once('-')) {
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap_or(bytes.len() - 1));
        let to = to.min(bytes.len() - 1);
        let fields = format!("{fields}content-range: bytes {from}-{to}/{}\r\n", bytes.len());
        return (206, fields, bytes[from..=to].to_vec());
    }
    (200, fields, bytes)
}

/// What the server behind answers.
fn of_server(port: u16, head: &str, body: &[u8]) -> Option<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let head = head.trim_end_matches("\r\n");
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let (first, fields) = head.split_once("\r\n")?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let fields: String = fields
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("connection"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    Some((status, fields, answer[at + 4..].to_vec()))
}

/// An S3 server with one empty bucket, `pcm-site`; ended when dropped.
pub struct Bucket {
    child: Child,
    pub port: u16,
}

impl Bucket {
    /// Starts it. None, with the skip printed, where there is none.
    pub fn start(dir: &Path) -> Option<Self> {
        let Some(server) = server() else {
            skipped("no S3 server: there is no moto_server (pip install 'moto[server]')");
            return None;
        };
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let log = fs::File::create(dir.join("moto.log")).unwrap();
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .ok()?;
        let bucket = Self { child, port };
        let up = || bucket.ask("PUT", "/pcm-site", &[]).is_some_and(|(status, _)| status == 200);
        if wait_for_or(Duration::from_secs(60), up).is_err() {
            skipped("moto_server does not start");
            return None;
        }
        Some(bucket)
    }

    /// Asks it something with a signature that it does not look at.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        self.ask_of("s3", "application/octet-stream", method, path, body)
    }

    fn ask_of(
        &self,
        service: &str,
        kind: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Option<(u16, Vec<u8>)> {
        let by = format!(
            "AWS4-HMAC-SHA256 Credential=test/20261129/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {by}\r\ncontent-type: {kind}\r\n\
             content-length: {length}\r\n\r\n"
        );
        of_server(self.port, &head, body).map(|(status, _, bytes)| (status, bytes))
    }

    /// Makes a user of the server with this policy: the id of its key, and the secret. Where rights are looked at, they are not
    /// while it is made.
    pub fn user(&self, name: &str, policy: &str) -> (String, String) {
        let encoded = |text: &str| -> String {
            let one = |byte: u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            text.bytes().map(one).collect()
        };
        let done = |action: &str, more: &str| {
            let body = format!("Action={action}&Version=2010-05-08&UserName={name}{more}");
            let form = "application/x-www-form-urlencoded";
            let (status, bytes) = self.ask_of("iam", form, "POST", "/", body.as_bytes()).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(status, 200, "{action}: {text}");
            text
        };
        let before = self.rights("inf");
        done("CreateUser", "");
        done("PutUserPolicy", &format!("&PolicyName=role&PolicyDocument={}", encoded(policy)));
        let key = done("CreateAccessKey", "");
        self.rights(&before);
        let of = |tag: &str| {
            let (_, rest) = key.split_once(&format!("<{tag}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        (of("AccessKeyId"), of("SecretAccessKey"))
    }

    /// From now on it looks at keys, signatures and policies. False, with the skip printed, where it cannot.
    pub fn looks_at_rights(&self) -> bool {
        let version = server().and_then(|server| version(&server));
        if version.as_ref().is_none_or(|version| version[..] < JUDGES[..]) {
            let version = version.unwrap_or_default();
            skipped(format!(
                "the S3 server judges signatures rightly from moto {JUDGES:?} on; here is {version:?}"
            ));
            return false;
        }
        self.rights("0");
        true
    }

    /// After how many questions it looks at them; the number before.
    fn rights(&self, after: &str) -> String {
        let (status, bytes) = self.ask("POST", "/moto-api/reset-auth", after.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(status, 200, "{text}");
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        said["PREVIOUS_INITIAL_NO_AUTH_ACTION_COUNT"].as_str().unwrap().to_owned()
    }

    /// An object; None: there is none.
    pub fn object(&self, name: &str) -> Option<Vec<u8>> {
        let (status, bytes) = self.ask("GET", &format!("/pcm-site/{name}"), &[])?;
        (status == 200).then_some(bytes)
    }

    /// Makes everything that is in a folder an object.
    pub fn fill(&self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                self.fill(&entry.path(), &name);
            } else {
                let put = self.ask("PUT", &format!("/pcm-site/{name}"), &fs::read(entry.path()).unwrap());
                assert_eq!(put.unwrap().0, 200, "{name}");
            }
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `PCM_MOTO` says, or in the search path.
fn server() -> Option<PathBuf> {
    let named = std::env::var_os("PCM_MOTO").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .chain(std::env::split_paths(&path).map(|dir| dir.join("moto_server")))
        .find(|file| file.is_file())
}

/// From this version on it takes the signature of a list whose prefix has a slash; 5.2.1 did not.
const JUDGES: [u32; 3] = [5, 2, 5];

/// Its version, as the Python beside it says.
fn version(server: &Path) -> Option<Vec<u32>> {
    let beside = server.with_file_name("python3");
    let python = if beside.is_file() { beside } else { "python3".into() };
    let asks = "import importlib.metadata as m; print(m.version('moto'))";
    let said = Command::new(python).args(["-c", asks]).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(said.stdout).ok()?.trim().split('.').map(|part| part.parse().ok()).collect()
}
