//! Machine code on disk, from one start to the next. What is read back is believed only as far as it shows:
//! the folder is this user's alone, the file says what it was made from and for, and its hash fits.

use super::{Key, MachineCode};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat, futimens, open,
    openat, renameat, statat, unlinkat,
};
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const MAGIC: &[u8; 16] = b"flowmonkey-kept\x01";
/// Magic, hash of the rest, what it was made from, fuel or not, what it was made for.
const HEAD_BYTES: usize = 16 + 32 + 32 + 1 + 32;
/// How the names of files begin that are being written.
const UNFINISHED: &str = ".new-";
/// Whoever was writing it for so long has died.
const UNFINISHED_SECONDS_MAX: i64 = 60 * 60;

/// An open folder: what was checked stays so, whatever becomes of its path.
#[derive(Debug)]
pub(super) struct Cache {
    folder: OwnedFd,
    path: PathBuf,
    bytes_max: u64,
    /// Said once: a full disk stays full for a while.
    warned: AtomicBool,
}

impl Cache {
    /// `None`, and a warning, where the folder cannot be made: it only saves time.
    ///
    /// # Errors
    /// When others could have put machine code there.
    pub(super) fn open(path: &Path, bytes_max: u64) -> Result<Option<Self>, String> {
        // Without the slash at the end that would follow a symbolic link.
        let path: PathBuf = path.components().collect();
        let shown = path.display();
        if let Err(error) = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)
            && std::fs::symlink_metadata(&path).is_err()
        {
            tracing::warn!(folder = %shown, %error, "no folder for machine code; every start compiles anew");
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = open(&path, flags, Mode::empty())
            .map_err(|error| format!("{shown} must be a folder, and no symbolic link to one: {error}"))?;
        let stat = fstat(&folder).map_err(|error| format!("{shown}: {error}"))?;
        let (owner, me) = (stat.st_uid, geteuid().as_raw());
        if owner != me {
            return Err(format!(
                "{shown} belongs to user {owner}, not to this one ({me}), who could put any machine code \
                 there; name another cache-folder"
            ));
        }
        if stat.st_mode & 0o077 != 0 {
            let mode = stat.st_mode & 0o777;
            return Err(format!("{shown} is open to others (mode {mode:03o}); run `chmod 700 {shown}`"));
        }
        Ok(Some(Cache { folder, path, bytes_max, warned: AtomicBool::new(false) }))
    }

    /// What was kept for this key, if it is whole. What is not is removed.
    pub(super) fn load(&self, key: &Key) -> Option<MachineCode> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.folder, file_name(key), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return None,
            Err(error) => {
                self.discard(key, &error.to_string());
                return None;
            }
        };
        match self.read(key, &file) {
            Ok(code) => {
                let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
                // What was used lately stays longest.
                let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
                Some(MachineCode(Arc::new(code)))
            }
            Err(why) => {
                self.discard(key, &why);
                None
            }
        }
    }

    fn read(&self, key: &Key, file: &File) -> Result<Vec<u8>, String> {
        let stat = fstat(file).map_err(|error| error.to_string())?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err("it is no file".into());
        }
        if stat.st_uid != geteuid().as_raw() || stat.st_mode & 0o022 != 0 {
            return Err("it is not this user's alone".into());
        }
        let mut content = Vec::new();
        file.take(self.bytes_max).read_to_end(&mut content).map_err(|error| error.to_string())?;
        let Some((head, code)) = content.split_at_checked(HEAD_BYTES) else {
            return Err("it is cut off".into());
        };
        if head != self::head(key, code) {
            return Err("it is damaged, or was made from or for something else".into());
        }
        content.drain(..HEAD_BYTES);
        Ok(content)
    }

    /// Removes what cannot be used.
    pub(super) fn discard(&self, key: &Key, why: &str) {
        let (folder, file) = (self.path.display(), file_name(key));
        tracing::warn!(%folder, file, why, "kept machine code is not usable; compiling anew");
        let _ = unlinkat(&self.folder, file, AtFlags::empty());
    }

    /// Keeps it, if there is room. Another process may do the same: the file is whole at any time.
    pub(super) fn store(&self, key: &Key, code: &MachineCode) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if code.0.len() as u64 + HEAD_BYTES as u64 > self.bytes_max {
            return;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{UNFINISHED}{}-{count}", std::process::id());
        if let Err(error) = self.write(&unfinished, key, code) {
            let _ = unlinkat(&self.folder, &unfinished, AtFlags::empty());
            if !self.warned.swap(true, Ordering::Relaxed) {
                let folder = self.path.display();
                tracing::warn!(%folder, %error, "machine code cannot be kept; the next start compiles anew");
            }
        }
        self.prune();
    }

    fn write(&self, unfinished: &str, key: &Key, code: &MachineCode) -> std::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, unfinished, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(&head(key, &code.0))?;
        file.write_all(&code.0)?;
        Ok(renameat(&self.folder, unfinished, &self.folder, file_name(key))?)
    }

    /// Removes what was not used for longest until the rest fits, and what others left unfinished. Touches
    /// nothing that is not ours by name.
    fn prune(&self) {
        let Ok(mut kept) = self.kept() else { return };
        kept.sort_by_key(|(_, stat)| (stat.st_mtime, stat.st_mtime_nsec));
        let mut bytes: u64 = kept.iter().map(|(_, stat)| size(stat)).sum();
        for (name, stat) in kept {
            let age = now_seconds().saturating_sub(stat.st_mtime);
            let dead = name.starts_with(UNFINISHED) && age > UNFINISHED_SECONDS_MAX;
            if (dead || bytes > self.bytes_max) && unlinkat(&self.folder, &name, AtFlags::empty()).is_ok() {
                bytes = bytes.saturating_sub(size(&stat));
            }
        }
    }

    fn kept(&self) -> rustix::io::Result<Vec<(String, Stat)>> {
        let mut kept = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if (is_file_name(name) || name.starts_with(UNFINISHED))
                && let Ok(stat) = statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW)
            {
                kept.push((name.to_owned(), stat));
            }
        }
        Ok(kept)
    }
}

fn head(key: &Key, code: &[u8]) -> Vec<u8> {
    let about = [&key.component[..], &[key.metered.into()], &key.compatibility].concat();
    let hash = Sha256::new().chain_update(&about).chain_update(code).finalize();
    [MAGIC.as_slice(), &hash, &about].concat()
}

fn file_name(key: &Key) -> String {
    let hex = |bytes: &[u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
    let metering = if key.metered { "metered" } else { "unmetered" };
    format!("{}-{metering}-{}", hex(&key.component), hex(&key.compatibility))
}

fn is_file_name(name: &str) -> bool {
    let is_hash = |part: &str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = name.split('-').collect();
    matches!(parts[..], [component, "metered" | "unmetered", compatibility]
        if is_hash(component) && is_hash(compatibility))
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
