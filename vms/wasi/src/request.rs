//! What each instruction asks for, in terms of the client's descriptors.

use basevm::attachment::Attachment;
use basevm::buf::Buf;
use basevm::service::{Host, Outcome, Reply, Request, VmId};
use il::trap::Status;
use isa::Attachment as Index;
use isa::wasi::{Op, reply};

use crate::Wasi;
use crate::abi::{self, Kind, fdflags, fstflags, oflags, rights};
use crate::client::{Client, Descriptor, FIRST, Granted};
use crate::errno::Errno;
use crate::job::{self, Job, Moved, Opening, Then, number, plain, position, with};
use crate::tree::{Action, At, How, Times};

/// Most bytes that one instruction reads or writes.
pub const MAX_BYTES: usize = 1 << 20;

/// What an instruction leads to: an answer, or a call to the storage with this number.
enum Work {
    Answered(Reply),
    Call(usize, Action, Then),
}

/// Refused without a call; the results beside the error are zero and empty.
struct Refused(Errno);

impl From<Errno> for Refused {
    fn from(why: Errno) -> Refused {
        Refused(why)
    }
}

/// Takes a buffer among the operands.
fn take(attachments: &mut [Option<Attachment>], index: Index) -> Result<Buf, Status> {
    index.take(attachments)?.buf()
}

impl Wasi {
    /// Executes an instruction of a client that is known.
    pub(crate) fn run(&mut self, host: &mut dyn Host, request: Request<'_>) -> Result<Outcome, Status> {
        let caller = request.caller;
        let op = Op::decode(request.opcode, request.words)?;
        match self.work(host, caller, op, request.attachments)? {
            Work::Answered(reply) => Ok(Outcome::Done(reply)),
            Work::Call(tree, action, then) => {
                let id = self.begin(host, tree, action, Job::new(caller, then));
                Ok(self.follow(host, id))
            }
        }
    }

    fn granted(&self, caller: VmId) -> Option<&Granted> {
        let index = self.clients.get(&caller)?.granted?;
        self.granted.get(index).map(|(_, granted)| granted)
    }

    fn client(&mut self, caller: VmId) -> Result<&mut Client, Status> {
        self.clients.get_mut(&caller).ok_or(Status::DeviceError)
    }

    fn work(
        &mut self,
        host: &mut dyn Host,
        caller: VmId,
        op: Op<'_>,
        attachments: &mut [Option<Attachment>],
    ) -> Result<Work, Status> {
        let mut buf = |index| take(attachments, index);
        match op {
            Op::Args => {
                let args = self.granted(caller).map_or(&[][..], |granted| &granted.args);
                Ok(Work::Answered(with(&reply::args(Index(0)), filled(host, args)?)))
            }
            Op::Environ => {
                let environ = self.granted(caller).map_or(&[][..], |granted| &granted.environ);
                Ok(Work::Answered(with(&reply::environ(Index(0)), filled(host, environ)?)))
            }
            Op::Prestat { fd } => self.prestat(host, caller, fd),
            Op::Open { dir, follow, path, flags, rights, inheriting: _, fdflags } => {
                let path = buf(path)?;
                let wanted = Wanted { flags: flags as u32, rights: rights as u64, fdflags };
                let work = self.open(caller, (dir, follow, path), wanted);
                Ok(work.unwrap_or_else(|Refused(why)| Work::Answered(plain(&reply::open(i32::from(why.0), -1)))))
            }
            Op::Close { fd } => {
                let work = self.close_fd(caller, fd);
                Ok(told(work))
            }
            Op::Read { fd, bytes, offset } => {
                let data = host.buf(usize::try_from(bytes).unwrap_or(0).min(MAX_BYTES))?;
                match self.read(caller, fd, offset) {
                    Ok((descriptor, offset, moved)) => {
                        let action = Action::Read { node: descriptor.node, offset, data };
                        Ok(Work::Call(descriptor.tree, action, Then::Read(moved)))
                    }
                    Err(why) => Ok(Work::Answered(with(&reply::read(i32::from(why.0), 0, Index(0)), data))),
                }
            }
            Op::Write { fd, data, offset } => {
                let data = buf(data)?;
                let work = self.write(caller, fd, offset, data);
                Ok(work.unwrap_or_else(|Refused(why)| Work::Answered(plain(&reply::write(i32::from(why.0), 0)))))
            }
            Op::Seek { fd, offset, whence } => {
                let work = self.seek(caller, fd, offset, whence);
                Ok(work.unwrap_or_else(|Refused(why)| Work::Answered(plain(&reply::seek(i32::from(why.0), 0)))))
            }
            Op::Stat { fd } => {
                let data = host.buf(abi::FILESTAT_BYTES)?;
                match self
                    .descriptor(caller, fd)
                    .and_then(|it| it.need(rights::FD_FILESTAT_GET, Errno::NOTCAPABLE).copied())
                {
                    Ok(it) => Ok(Work::Call(it.tree, Action::Stat { node: it.node }, Then::Stat(data))),
                    Err(why) => Ok(Work::Answered(with(&reply::stat(i32::from(why.0), Index(0)), data))),
                }
            }
            Op::StatAt { dir, follow, path } => {
                let (path, data) = (buf(path)?, host.buf(abi::FILESTAT_BYTES)?);
                match self.descriptor(caller, dir).and_then(|it| it.dir(rights::PATH_FILESTAT_GET).copied()) {
                    Ok(it) => Ok(Work::Call(it.tree, Action::StatAt { at: at(&it, path, follow) }, Then::Stat(data))),
                    Err(why) => Ok(Work::Answered(with(&reply::stat_at(i32::from(why.0), Index(0)), data))),
                }
            }
            Op::Fdstat { fd } => {
                let mut data = host.buf(abi::FDSTAT_BYTES)?;
                let found = self.descriptor(caller, fd);
                if let Ok(it) = &found {
                    data.copy_from_slice(&abi::fdstat(it.kind, it.flags, it.rights, it.inheriting));
                }
                Ok(Work::Answered(with(&reply::fdstat(number(found.map(drop)), Index(0)), data)))
            }
            Op::SetFlags { fd, flags } => Ok(told(self.set_flags(caller, fd, flags))),
            Op::SetRights { fd, rights, inheriting } => {
                Ok(told(self.set_rights(caller, fd, rights as u64, inheriting as u64)))
            }
            Op::SetSize { fd, size } => Ok(told(self.set_size(caller, fd, size))),
            Op::Allocate { fd, offset, bytes } => Ok(told(self.allocate(caller, fd, offset, bytes))),
            Op::SetTimes { fd, access, change, flags } => {
                let now = host.wall();
                Ok(told(self.set_times(caller, fd, (access, change, flags as u32, now))))
            }
            Op::SetTimesAt { dir, follow, path, access, change, flags } => {
                let (path, now) = (buf(path)?, host.wall());
                let work = self.change(caller, dir, rights::PATH_FILESTAT_SET_TIMES).and_then(|it| {
                    let times = times(access, change, flags as u32, now)?;
                    Ok(tell(&it, Action::SetTimesAt { at: at(&it, path, follow), times }))
                });
                Ok(told(work))
            }
            Op::Sync { fd } => {
                let found = self.descriptor(caller, fd);
                Ok(told(found.map(|it| tell(&it, Action::Sync { node: it.node })).map_err(Refused)))
            }
            Op::Readdir { fd, bytes, cookie } => {
                let data = host.buf(usize::try_from(bytes).unwrap_or(0).min(MAX_BYTES))?;
                match self.descriptor(caller, fd).and_then(|it| it.dir(rights::FD_READDIR).copied()) {
                    Ok(it) => {
                        let action = Action::Readdir { node: it.node, cookie: cookie as u64, data };
                        Ok(Work::Call(it.tree, action, Then::Readdir))
                    }
                    Err(why) => Ok(Work::Answered(with(&reply::readdir(i32::from(why.0), 0, Index(0)), data))),
                }
            }
            Op::Mkdir { dir, path } => {
                let path = buf(path)?;
                let found = self.change(caller, dir, rights::PATH_CREATE_DIRECTORY);
                Ok(told(found.map(|it| tell(&it, Action::Mkdir { at: at(&it, path, 0) }))))
            }
            Op::Unlink { dir, path } => {
                let path = buf(path)?;
                let found = self.change(caller, dir, rights::PATH_UNLINK_FILE);
                Ok(told(found.map(|it| tell(&it, Action::Unlink { at: at(&it, path, 0) }))))
            }
            Op::Rmdir { dir, path } => {
                let path = buf(path)?;
                let found = self.change(caller, dir, rights::PATH_REMOVE_DIRECTORY);
                Ok(told(found.map(|it| tell(&it, Action::Rmdir { at: at(&it, path, 0) }))))
            }
            Op::Rename { dir, path, to, to_path } => {
                let (path, to_path) = (buf(path)?, buf(to_path)?);
                let found = self.two(caller, (dir, rights::PATH_RENAME_SOURCE), (to, rights::PATH_RENAME_TARGET));
                let action =
                    |(from, to)| tell(&from, Action::Rename { from: at(&from, path, 0), to: at(&to, to_path, 0) });
                Ok(told(found.map(action)))
            }
            Op::Link { dir, follow, path, to, to_path } => {
                let (path, to_path) = (buf(path)?, buf(to_path)?);
                let found = self.two(caller, (dir, rights::PATH_LINK_SOURCE), (to, rights::PATH_LINK_TARGET));
                let action = |(from, to): (Descriptor, Descriptor)| match follow {
                    0 => Ok(tell(&from, Action::Link { from: at(&from, path, 0), to: at(&to, to_path, 0) })),
                    _ => Err(Refused(Errno::INVAL)),
                };
                Ok(told(found.and_then(action)))
            }
            Op::Symlink { target, dir, path } => {
                let (target, path) = (buf(target)?, buf(path)?);
                let found = self.change(caller, dir, rights::PATH_SYMLINK);
                Ok(told(found.map(|it| tell(&it, Action::Symlink { target, at: at(&it, path, 0) }))))
            }
            Op::Readlink { dir, path, bytes } => {
                let (path, data) =
                    (buf(path)?, host.buf(usize::try_from(bytes).unwrap_or(0).min(crate::path::MAX_PATH_BYTES))?);
                match self.descriptor(caller, dir).and_then(|it| it.dir(rights::PATH_READLINK).copied()) {
                    Ok(it) => Ok(Work::Call(it.tree, Action::Readlink { at: at(&it, path, 0), data }, Then::Readlink)),
                    Err(why) => Ok(Work::Answered(with(&reply::readlink(i32::from(why.0), 0, Index(0)), data))),
                }
            }
            Op::Renumber { from, to } => {
                let moved = self.client(caller)?.renumber(from, to);
                if let Ok(Some(closed)) = &moved {
                    self.close(host, closed);
                    self.pump(host, None);
                }
                Ok(Work::Answered(plain(&reply::renumber(number(moved.map(drop))))))
            }
            Op::Never(never, _) => match never {},
        }
    }

    fn descriptor(&self, caller: VmId, fd: i32) -> Result<Descriptor, Errno> {
        self.clients.get(&caller).ok_or(Errno::BADF)?.get(fd).copied()
    }

    /// A directory in which something is to be changed.
    fn change(&self, caller: VmId, dir: i32, right: u64) -> Result<Descriptor, Refused> {
        Ok(*self.descriptor(caller, dir)?.change(right)?)
    }

    /// Two directories of one storage in which something is to be changed.
    fn two(&self, caller: VmId, from: (i32, u64), to: (i32, u64)) -> Result<(Descriptor, Descriptor), Refused> {
        let (from, to) = (self.change(caller, from.0, from.1)?, self.change(caller, to.0, to.1)?);
        match from.tree == to.tree {
            true => Ok((from, to)),
            false => Err(Refused(Errno::XDEV)),
        }
    }

    fn prestat(&mut self, host: &mut dyn Host, caller: VmId, fd: i32) -> Result<Work, Status> {
        let found = self.descriptor(caller, fd).and_then(|it| it.granted.ok_or(Errno::BADF));
        let name = found.ok().and_then(|at| Some(self.granted(caller)?.dirs.get(at)?.name.as_bytes()));
        let data = filled(host, name.unwrap_or_default())?;
        self.hint(host, caller, fd);
        Ok(Work::Answered(with(&reply::prestat(number(found.map(drop)), Index(0)), data)))
    }

    /// A program that looks for directories and has none is told so once, in the log: it may only say that there is
    /// no such file.
    fn hint(&mut self, host: &mut dyn Host, caller: VmId, fd: i32) {
        let has_none = self.granted(caller).is_none_or(|granted| granted.dirs.is_empty());
        if let Some(client) = self.clients.get_mut(&caller)
            && has_none
            && fd == FIRST as i32
            && !core::mem::replace(&mut client.was_told, true)
        {
            host.log("the program looks for directories, and is granted none; grant one by --dir FOLDER[=NAME]");
        }
    }

    fn open(&mut self, caller: VmId, (dir, follow, path): (i32, i32, Buf), wanted: Wanted) -> Result<Work, Refused> {
        let from = *self.descriptor(caller, dir)?.dir(rights::PATH_OPEN)?;
        job::check_oflags(wanted.flags)?;
        let flags =
            u16::try_from(wanted.fdflags).ok().filter(|flags| flags & !fdflags::ALL == 0).ok_or(Errno::INVAL)?;
        self.clients.get(&caller).ok_or(Errno::BADF)?.check_room()?;
        let is_set = |flag| wanted.flags & flag != 0;
        if is_set(oflags::DIRECTORY) && wanted.flags & (oflags::CREATE | oflags::EXCLUSIVE | oflags::TRUNCATE) != 0 {
            return Err(Refused(Errno::INVAL));
        }
        if is_set(oflags::CREATE) && from.rights & rights::PATH_CREATE_FILE == 0 {
            return Err(Refused(Errno::NOTCAPABLE));
        }
        if is_set(oflags::TRUNCATE) && from.rights & rights::PATH_FILESTAT_SET_SIZE == 0 {
            return Err(Refused(Errno::NOTCAPABLE));
        }
        let rights = rights::opened(wanted.rights) & from.inheriting;
        let writes = rights & (rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE) != 0;
        let how = How {
            read: rights & (rights::FD_READ | rights::FD_READDIR) != 0,
            write: (writes || is_set(oflags::TRUNCATE)) && !is_set(oflags::DIRECTORY),
            create: is_set(oflags::CREATE),
            directory: is_set(oflags::DIRECTORY),
            exclusive: is_set(oflags::EXCLUSIVE),
            truncate: is_set(oflags::TRUNCATE),
        };
        if from.read_only && (how.write || how.create || how.truncate) {
            return Err(Refused(Errno::ROFS));
        }
        let inheriting = from.inheriting;
        let opening = Opening { tree: from.tree, flags, rights, inheriting, read_only: from.read_only };
        // A link is no new file, wherever it leads.
        let follow = if how.create && how.exclusive { 0 } else { follow };
        let action = Action::Open { at: at(&from, path, follow), how };
        Ok(Work::Call(from.tree, action, Then::Open(opening)))
    }

    fn close_fd(&mut self, caller: VmId, fd: i32) -> Result<Work, Refused> {
        let closed = self.clients.get_mut(&caller).ok_or(Errno::BADF)?.remove(fd)?;
        match closed.granted {
            Some(_) => Ok(Work::Answered(plain(&reply::close(0)))),
            None => Ok(tell(&closed, Action::Close { node: closed.node })),
        }
    }

    fn read(&self, caller: VmId, fd: i32, offset: i64) -> Result<(Descriptor, u64, Option<Moved>), Errno> {
        let it = *self.descriptor(caller, fd)?.file(rights::FD_READ)?;
        let (offset, moved) = place(&it, fd, offset)?;
        Ok((it, offset, moved))
    }

    fn write(&self, caller: VmId, fd: i32, offset: i64, data: Buf) -> Result<Work, Refused> {
        let it = *self.descriptor(caller, fd)?.file(rights::FD_WRITE)?;
        let (offset, moved) = place(&it, fd, offset)?;
        let offset = (it.flags & fdflags::APPEND == 0).then_some(offset);
        let action = Action::Write { node: it.node, offset, data, sync: it.is_synchronous() };
        Ok(Work::Call(it.tree, action, Then::Write(moved)))
    }

    fn seek(&mut self, caller: VmId, fd: i32, offset: i64, whence: i32) -> Result<Work, Refused> {
        let descriptor = self.clients.get_mut(&caller).ok_or(Errno::BADF)?.get_mut(fd)?;
        let only_tells = whence == 1 && offset == 0;
        let right = if only_tells { rights::FD_TELL } else { rights::FD_SEEK };
        if descriptor.kind == Kind::Directory {
            return Err(Refused(Errno::BADF));
        }
        descriptor.need(right, Errno::NOTCAPABLE)?;
        let base = match whence {
            0 => 0,
            1 => descriptor.position,
            2 => {
                let moved = Moved { fd, node: descriptor.node, from: 0 };
                let action = Action::Stat { node: descriptor.node };
                return Ok(Work::Call(descriptor.tree, action, Then::Seek(moved, offset)));
            }
            _ => return Err(Refused(Errno::INVAL)),
        };
        descriptor.position = position(base, offset)?;
        Ok(Work::Answered(plain(&reply::seek(0, descriptor.position as i64))))
    }

    fn set_flags(&mut self, caller: VmId, fd: i32, flags: i32) -> Result<Work, Refused> {
        let descriptor = self.clients.get_mut(&caller).ok_or(Errno::BADF)?.get_mut(fd)?;
        descriptor.need(rights::FD_FDSTAT_SET_FLAGS, Errno::NOTCAPABLE)?;
        let flags = u16::try_from(flags).ok().filter(|flags| flags & !fdflags::ALL == 0).ok_or(Errno::INVAL)?;
        descriptor.flags = flags;
        Ok(Work::Answered(plain(&reply::set_flags(0))))
    }

    /// Rights are only ever taken away.
    fn set_rights(&mut self, caller: VmId, fd: i32, rights: u64, inheriting: u64) -> Result<Work, Refused> {
        let descriptor = self.clients.get_mut(&caller).ok_or(Errno::BADF)?.get_mut(fd)?;
        if rights & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
            return Err(Refused(Errno::NOTCAPABLE));
        }
        (descriptor.rights, descriptor.inheriting) = (rights, inheriting);
        Ok(Work::Answered(plain(&reply::set_rights(0))))
    }

    fn set_size(&self, caller: VmId, fd: i32, size: i64) -> Result<Work, Refused> {
        let it = *self.descriptor(caller, fd)?.file(rights::FD_FILESTAT_SET_SIZE)?;
        let size = u64::try_from(size).map_err(|_| Errno::INVAL)?;
        Ok(tell(&it, Action::SetSize { node: it.node, size }))
    }

    fn allocate(&self, caller: VmId, fd: i32, offset: i64, bytes: i64) -> Result<Work, Refused> {
        let it = *self.descriptor(caller, fd)?.file(rights::FD_ALLOCATE)?;
        let (Ok(offset), Ok(bytes @ 1..)) = (u64::try_from(offset), u64::try_from(bytes)) else {
            return Err(Refused(Errno::INVAL));
        };
        let end = offset.checked_add(bytes).filter(|end| *end <= i64::MAX as u64).ok_or(Errno::FBIG)?;
        Ok(tell(&it, Action::Allocate { node: it.node, end }))
    }

    fn set_times(
        &self,
        caller: VmId,
        fd: i32,
        (access, change, flags, now): (i64, i64, u32, u64),
    ) -> Result<Work, Refused> {
        let it = self.descriptor(caller, fd)?;
        it.need(rights::FD_FILESTAT_SET_TIMES, Errno::NOTCAPABLE)?;
        if it.read_only {
            return Err(Refused(Errno::ROFS));
        }
        let times = times(access, change, flags, now)?;
        Ok(tell(&it, Action::SetTimes { node: it.node, times }))
    }
}

/// What a client wants to be opened, and how.
struct Wanted {
    flags: u32,
    rights: u64,
    fdflags: i32,
}

/// A call of which only the error is told.
fn tell(descriptor: &Descriptor, action: Action) -> Work {
    Work::Call(descriptor.tree, action, Then::Tell)
}

/// What was refused is told the same way.
fn told(work: Result<Work, Refused>) -> Work {
    work.unwrap_or_else(|Refused(why)| Work::Answered(plain(&reply::close(i32::from(why.0)))))
}

fn at(dir: &Descriptor, path: Buf, follow: i32) -> At {
    At { dir: dir.node, path, follow: follow & 1 != 0 }
}

/// Where reading or writing begins, and which descriptor moves on then.
fn place(descriptor: &Descriptor, fd: i32, offset: i64) -> Result<(u64, Option<Moved>), Errno> {
    match u64::try_from(offset) {
        Ok(offset) => Ok((offset, None)),
        Err(_) if offset == -1 => {
            let from = descriptor.position;
            Ok((from, Some(Moved { fd, node: descriptor.node, from })))
        }
        Err(_) => Err(Errno::INVAL),
    }
}

/// The times that flags ask for; giving a time and asking for now at once is an error.
fn times(access: i64, change: i64, flags: u32, now: u64) -> Result<Times, Errno> {
    if flags & !fstflags::ALL != 0 {
        return Err(Errno::INVAL);
    }
    let time = |given: u32, to_now: u32, time: i64| match (flags & given != 0, flags & to_now != 0) {
        (true, true) => Err(Errno::INVAL),
        (true, false) => Ok(Some(time as u64)),
        (false, true) => Ok(Some(now)),
        (false, false) => Ok(None),
    };
    Ok(Times {
        access: time(fstflags::ACCESS, fstflags::ACCESS_NOW, access)?,
        change: time(fstflags::CHANGE, fstflags::CHANGE_NOW, change)?,
    })
}

/// A buffer with these bytes.
fn filled(host: &mut dyn Host, bytes: &[u8]) -> Result<Buf, Status> {
    let mut data = host.buf(bytes.len())?;
    data.copy_from_slice(bytes);
    Ok(data)
}
