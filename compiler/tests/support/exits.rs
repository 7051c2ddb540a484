//! What generated code asks of its VM.

use compiler::abi::{self, Exit, FROZEN, IMMORTAL, Kind, REMEMBERED};
use il::TypeId;
use il::packet::{MAX_ATTACHMENTS, MAX_WORDS};
use il::trap::TrapKind;

use super::machine::{load, store};
use super::{End, Vm};

impl Vm {
    fn trap(&mut self, kind: TrapKind, message: String, line: Option<u32>) -> ! {
        self.leave_with(End::Trap { kind, message, line })
    }

    fn fault(&mut self, kind: TrapKind) -> ! {
        self.trap(kind, String::new(), None)
    }

    pub(super) fn exit(&mut self, code: u64, return_address: u64, fp: u64) -> u64 {
        let exit = Exit::from_code(code).expect("an exit");
        self.heap.cursor = self.ctx.heap_cursor;
        if matches!(exit, Exit::Alloc | Exit::Trap | Exit::StrSlice) {
            self.frames = self.backtrace(return_address - 1, fp);
        }
        if exit.info().collects {
            let mut roots = self.frame_roots(return_address, fp);
            let references = exit.info().args.iter().enumerate().filter(|(_, (_, kind))| *kind == Kind::Reference);
            roots.extend(references.map(|(at, _)| &raw const self.ctx.exit_args[at] as u64));
            self.collect(&roots);
        }
        let args = self.ctx.exit_args;
        match exit {
            Exit::Done => self.leave_with(End::Done),
            Exit::Yield => {
                self.yields += 1;
                *self.interrupt = 0;
                0
            }
            Exit::Room => {
                self.submit(args[0] as usize, self.packet_words.max(args[1] as usize));
                0
            }
            Exit::Call => self.call(args[0] as usize, args[1]),
            Exit::Flush => {
                self.submit(args[0] as usize, self.packet_words);
                self.flush_status
            }
            Exit::Wait => {
                self.waits += 1;
                0
            }
            Exit::WaitForever => {
                self.waits += 1;
                self.leave_with(End::Done)
            }
            Exit::Fail => {
                self.failed_with = Some(args[0]);
                0
            }
            Exit::Trap => {
                let message = if args[1] == 0 { String::new() } else { self.text(args[1]) };
                self.trap(TrapKind::from_code(args[0] as u8).unwrap(), message, None)
            }
            Exit::DeviceTrap => self.leave_with(End::Device { slot: args[0], opcode: args[1], status: args[2] }),
            Exit::BufNew => self.new_buf(&vec![0; args[0] as usize]),
            Exit::BufFree => {
                self.free_buf(args[0]);
                0
            }
            Exit::Alloc if args[2] > self.quota => self.fault(TrapKind::Quota),
            Exit::Alloc => {
                let address = self.heap.allocate(args[0] as u32, args[1] as u32, args[2]);
                self.sync_heap();
                address
            }
            Exit::Remember => {
                self.heap.remembered += 1;
                let header = load(args[0]);
                assert_eq!(header as u32 & (REMEMBERED | IMMORTAL | FROZEN), 0);
                store(args[0], header | u64::from(REMEMBERED));
                0
            }
            Exit::IsType => u64::from(self.is_type(args[0], TypeId(args[1] as u32))),
            Exit::Freeze => {
                let frozen = self.heap.freeze(args[0]);
                self.sync_heap();
                frozen
            }
            Exit::Share if args[0] == 0 || args[0] & 1 == 1 => args[0],
            Exit::Share => {
                let frozen = self.heap.freeze(args[0]);
                self.sync_heap();
                frozen
            }
            Exit::Attach => self.attach(args[0] as usize, args[1], args[2]),
            Exit::Attenuate => {
                let slot = self.caps.len();
                self.packets.push((vec![0; MAX_WORDS], vec![0; MAX_ATTACHMENTS]));
                self.open_slot(slot);
                self.attenuated.insert(slot as u64, TypeId(args[1] as u32));
                (slot as u64) << 1 | 1
            }
            Exit::Revoke => {
                self.revoked.push(args[0] >> 1);
                0
            }
            Exit::Forward => {
                self.forwarded = Some(args[0] as usize);
                self.submit(args[0] as usize, self.packet_words);
                0
            }
            Exit::Run | Exit::RunSend | Exit::Own => {
                self.elsewhere.push((exit, [args[0], args[1]], self.ctx.values.to_vec()));
                self.ctx.values = std::array::from_fn(|at| if at == 0 { self.flush_status } else { 100 + at as u64 });
                self.flush_status
            }
            Exit::StrConcat => {
                let text = self.text(args[0]) + &self.text(args[1]);
                self.new_str(&text)
            }
            Exit::StrSlice => {
                let text = self.text(args[0]);
                match text.get(args[1] as usize..args[2] as usize) {
                    Some(part) => self.new_str(part),
                    None => self.fault(TrapKind::IndexOutOfBounds),
                }
            }
            Exit::StrFromI32 | Exit::StrFromI64 => self.new_str(&(args[0] as i64).to_string()),
            Exit::StrFromF32 => self.new_str(&f32::from_bits(args[0] as u32).to_string()),
            Exit::StrFromF64 => self.new_str(&f64::from_bits(args[0]).to_string()),
            Exit::StrFromBool => self.new_str(if args[0] == 0 { "false" } else { "true" }),
            Exit::StrAt => {
                let bytes = self.read_memory(args[2], args[0], args[1]);
                match String::from_utf8(bytes) {
                    Ok(text) => self.new_str(&text),
                    Err(_) => self.fault(TrapKind::BadUtf8),
                }
            }
            Exit::StrEq => u64::from(self.text(args[0]) == self.text(args[1])),
            Exit::MemoryGrow => {
                let memory = args[1] as usize;
                let old = self.memory_slots[memory].bytes / 65536;
                let new = old + args[0];
                if new > u64::from(self.module.memories[memory].max) {
                    return 0xffff_ffff;
                }
                self.memories[memory].open(new as usize * 65536);
                self.memory_slots[memory].bytes = new * 65536;
                self.ctx.memory_bytes = self.memory_slots[0].bytes;
                old
            }
            Exit::MemoryFill => {
                self.check_memory(args[3], args[0], args[2]);
                self.memories[args[3] as usize].write(args[0] as usize, &vec![args[1] as u8; args[2] as usize]);
                0
            }
            Exit::MemoryCopy => {
                self.check_memory(args[3], args[0], args[2]);
                let bytes = self.read_memory(args[4], args[1], args[2]);
                self.memories[args[3] as usize].write(args[0] as usize, &bytes);
                0
            }
            Exit::MemoryInit => {
                self.check_memory(args[4], args[0], args[2]);
                let data = args[3] as usize;
                let (from, len) = (args[1] as usize, args[2] as usize);
                let bytes = if self.dropped[data] { &[][..] } else { &self.module.data[data].bytes };
                match bytes.get(from..from + len) {
                    Some(bytes) => self.memories[args[4] as usize].write(args[0] as usize, bytes),
                    None => self.fault(TrapKind::MemoryOutOfBounds),
                }
                0
            }
            Exit::DataDrop => {
                self.dropped[args[0] as usize] = true;
                0
            }
            Exit::BufAt => {
                let bytes = self.read_memory(args[2], args[0], args[1]);
                self.new_buf(&bytes)
            }
            Exit::BufWrite => {
                let (at, len) = (args[1] as usize, args[3] as usize);
                if self.buf_mut(args[0]).get(at..at + len).is_none() {
                    self.fault(TrapKind::IndexOutOfBounds);
                }
                let bytes = self.read_memory(args[4], args[2], args[3]);
                self.buf_mut(args[0])[at..at + len].copy_from_slice(&bytes);
                0
            }
            Exit::MemoryWrite => {
                self.check_memory(args[4], args[0], args[3]);
                let (from, len) = (args[2] as usize, args[3] as usize);
                match self.buf_mut(args[1]).get(from..from + len).map(<[u8]>::to_vec) {
                    Some(bytes) => self.memories[args[4] as usize].write(args[0] as usize, &bytes),
                    None => self.fault(TrapKind::IndexOutOfBounds),
                }
                0
            }
            Exit::NewArray => {
                let array = self.compiled.arrays[args[0] as usize].clone();
                let bytes = abi::array_bytes(self.heap.hierarchy.array(array.ty).unwrap().element.bytes(), array.len);
                let ty = abi::type_word(&self.heap.hierarchy, array.ty);
                let address = self.heap.allocate(ty, array.len, bytes);
                let mut contents = array.contents(|literal| self.literals.get(literal as usize).copied()).unwrap();
                contents.resize(contents.len().next_multiple_of(8), 0);
                for (at, word) in contents.chunks_exact(8).enumerate() {
                    store(address + 8 + 8 * at as u64, u64::from_le_bytes(word.try_into().unwrap()));
                }
                self.sync_heap();
                address
            }
            Exit::Quit => self.leave_with(End::Quit(args[0] as i32)),
            Exit::BufCopy => {
                let (from, len) = (args[3] as usize, args[4] as usize);
                let bytes = self.buf_mut(args[2]).get(from..from + len).map(<[u8]>::to_vec);
                let to = args[1] as usize;
                let copied = match (bytes, self.buf_mut(args[0]).get_mut(to..to + len)) {
                    (Some(bytes), Some(place)) => {
                        place.copy_from_slice(&bytes);
                        true
                    }
                    _ => false,
                };
                if !copied {
                    self.fault(TrapKind::IndexOutOfBounds);
                }
                0
            }
        }
    }

    fn is_type(&self, value: u64, def: TypeId) -> bool {
        let hierarchy = &self.heap.hierarchy;
        if value & 1 == 0 {
            return self.heap.type_of(value).is_some_and(|id| hierarchy.def_is_subtype(id, def));
        }
        let slot = value >> 1;
        match (self.attenuated.get(&slot), hierarchy.cap(def)) {
            (Some(rights), Some(_)) => hierarchy.def_is_subtype(*rights, def),
            (None, Some(cap)) => self.module.uses[slot as usize].isa == cap.isa,
            (_, None) => false,
        }
    }

    fn check_memory(&mut self, memory: u64, address: u64, len: u64) {
        if address + len > self.memory_slots[memory as usize].bytes {
            self.fault(TrapKind::MemoryOutOfBounds);
        }
    }

    fn read_memory(&mut self, memory: u64, address: u64, len: u64) -> Vec<u8> {
        self.check_memory(memory, address, len);
        self.memories[memory as usize].read(address as usize..(address + len) as usize)
    }
}
