//! Every write of the log goes through these two traits, so that tests can make any of them fail.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{Advice, FallocateFlags};

/// What a segment file looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inspection {
    /// Names the file has; 0 when it was removed.
    pub(super) links: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Whether its path still leads to it; not looked up each time.
    pub(super) in_place: bool,
}

/// The segment file: the only one in the way of a commit.
pub(super) trait Segment: Send {
    /// Reserves room past the end without changing the size, so that a full disk shows before a batch is written.
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Writes some of `bytes` at `offset`; returns how many.
    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Returns when everything written is on stable storage.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `size` bytes.
    fn cut(&mut self, size: u64) -> io::Result<()>;
    /// Looks at the file, and with `by_path` at what its path leads to.
    fn inspect(&mut self, by_path: bool) -> io::Result<Inspection>;
}

/// The files beside the segment. Names are relative to the log's folder.
pub(super) trait Folder: Send {
    /// Makes or empties the file and writes `bytes`.
    fn write(&mut self, name: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file's content durable.
    fn sync(&mut self, name: &Path) -> io::Result<()>;
    /// Gives the file another name, replacing what had it.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in the folder `name` durable.
    fn sync_names(&mut self, name: &Path) -> io::Result<()>;
}

/// Replaces the file `name` as a whole: readers and crashes see the old content or the new one, never a mixture.
pub(super) fn replace(folder: &mut dyn Folder, name: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = name.with_extension("tmp");
    // A crash here leaves part of `*.tmp`, which nothing reads and the next replacement overwrites.
    folder.write(&temporary, bytes)?;
    // As above. Without this step the rename could survive a power cut and the content not.
    folder.sync(&temporary)?;
    // A crash here leaves the old file or the new one under the name; both were valid when they were written.
    folder.rename(&temporary, name)?;
    // A crash before this step may bring the old file back.
    folder.sync_names(name.parent().unwrap_or(Path::new("")))
}

/// A segment on a file system.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    path: PathBuf,
    identity: (u64, u64),
    reserves: bool,
}

impl SegmentFile {
    /// Opens the segment for writing. What is read from `file` afterwards is what is on the disk, not what an earlier
    /// process failed to bring there: cached pages are written out and dropped first.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        rustix::fs::fdatasync(&file)?;
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
        let metadata = file.metadata()?;
        Ok(Self { file, path: path.to_owned(), identity: (metadata.dev(), metadata.ino()), reserves: true })
    }

    /// The file, to read from.
    pub(super) fn reader(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

impl Segment for SegmentFile {
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        if !self.reserves {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, offset, bytes) {
            Err(error) if error == rustix::io::Errno::OPNOTSUPP || error == rustix::io::Errno::NOSYS => {
                self.reserves = false;
                Ok(())
            }
            done => Ok(done?),
        }
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }

    fn cut(&mut self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn inspect(&mut self, by_path: bool) -> io::Result<Inspection> {
        let metadata = self.file.metadata()?;
        let in_place =
            !by_path || fs::metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == self.identity);
        Ok(Inspection { links: metadata.nlink(), size: metadata.size(), in_place })
    }
}

/// The log's folder on a file system.
#[derive(Debug, Clone)]
pub(super) struct FolderFiles(pub(super) PathBuf);

impl Folder for FolderFiles {
    fn write(&mut self, name: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.0.join(name))?;
        file.write_all(bytes)
    }

    fn sync(&mut self, name: &Path) -> io::Result<()> {
        File::open(self.0.join(name))?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync_names(&mut self, name: &Path) -> io::Result<()> {
        File::open(self.0.join(name))?.sync_all()
    }
}
