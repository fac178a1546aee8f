//! A look at an index on a share.

use super::{Answer, Found, Looking, fault, problem};
use crate::host::open::{Folder, RegularFile, read_bounded};
use crate::site::content::hash_bytes;
use crate::site::index;
use crate::site::indexed::compose::{Asked, Source as _, compose};
use crate::site::indexed::read::FromShare;
use crate::site::indexed::store::Held;
use crate::site::indexed::told::NOTHING_TOLD;
use crate::site::indexed::verify;
use crate::site::signed::Distrust;
use crate::site::signed::published::{self as signed, Packages, SignedBy, Standing};
use crate::site::site_file::SiteFile;
use crate::site::trust::{NO_LIST, TrustMode, TrustVerdict};
use crate::terms::Code;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::Path;

/// The index as it was met.
pub(super) struct First {
    /// None: it is the one that is held, and was not read.
    pub index: Option<RegularFile>,
    /// What the server calls it.
    pub tag: Option<String>,
}

/// An index, and of what it names what this machine has not got (SITE.md 2). Nothing else of the share is read then.
pub(super) fn look_at_index(
    looking: &Looking<'_>,
    share: &Path,
    root: &Folder,
    first: First,
    held: &Held,
) -> Answer {
    let path = share.join(index::NAME);
    let machine = looking.machine;
    let signed = looking.judge.mode == TrustMode::Signed;
    let (mut next, mut tag) = (Some(first.index), first.tag);
    let (mut fault_of, mut problems) = (Code::Malformed, Vec::new());
    // A publisher may be replacing it just now: what does not parse, or does not verify, is read again at once.
    for _ in 0..2 {
        let mut open = match next.take() {
            Some(first) => first,
            None => match root.file(index::NAME) {
                Ok(open) => Some(open),
                Err(e) => return fault(&e, &path),
            },
        };
        let bytes = match &mut open {
            Some(open) => {
                tag = open.tag().map(str::to_owned);
                match read_bounded(open, index::MAX_BYTES) {
                    Ok(bytes) => bytes,
                    Err(e) => return fault(&e, &path),
                }
            }
            // As it was; whether it is believed now is another matter.
            None => held.index.clone(),
        };
        let judged = match &looking.trusted {
            Some(trusted) => verify::index(&bytes, trusted, looking.now, Standing::Offered)
                .map(|(index, publishers)| (index, Some(publishers))),
            // Where nobody's word counts nothing gets as far as a parser.
            None if signed => Err(Distrust::new(Code::Unsigned, NO_LIST)),
            None => verify::unsigned(&bytes, looking.now, Standing::Offered).map(|index| (index, None)),
        };
        let (index, publishers) = match judged {
            Ok((index, _)) if index.site != machine.site() => {
                let message =
                    format!("it is of site {}, and this machine is of site {}", index.site, machine.site());
                return Answer::Fault(Code::Malformed, vec![problem(Code::Malformed, &path, &message)]);
            }
            Ok(judged) => judged,
            Err(distrust) => {
                fault_of = distrust.code;
                problems = vec![distrust.problem(path.display().to_string())];
                continue;
            }
        };
        let mut source = FromShare::new(root, &held.parts, looking.patience);
        let asked = Asked {
            machine,
            defaults: looking.defaults,
            trusted: looking.trusted.as_ref(),
            before: None,
            earlier: &|| None,
            told: &NOTHING_TOLD,
        };
        let composed = compose(&index, &asked, &mut source);
        for named in looking.wanted {
            // Another share's index names it. Where it is not here either, that share's look says so.
            match named.file == signed::SIGNATURE {
                true => drop(source.signature(named, false)),
                false => drop(source.text(named).map(str::len)),
            }
        }
        let sha256 = hash_bytes(verify::signed_bytes(&bytes));
        let packages = composed.packages;
        let signed =
            publishers.map(|publishers| SignedBy { epoch: index.epoch, sha256, publishers, packages });
        return Answer::Found(Box::new(Found {
            bytes,
            file: composed.file,
            trust: match &signed {
                Some(by) => TrustVerdict::Trusted(by.words()),
                None => looking.judge.publication(share, &[root], &open.iter().collect::<Vec<_>>()),
            },
            share: share.to_owned(),
            site_bytes: Vec::new(),
            site: SiteFile {
                site: index.site,
                name: SafeText::default(),
                polling_interval: None,
                contact: None,
                freezes: Vec::new(),
                warnings: Vec::new(),
            },
            packages: Packages::new(),
            unread: BTreeMap::new(),
            signed,
            brought: Some(source.brought),
            tag,
            index: Some(composed.index),
        }));
    }
    Answer::Fault(fault_of, problems)
}
