//! Detects the format of a blob by its first bytes, and decompresses in a thread of its own.
//!
//! Media types are ignored because they are wrong more often than the bytes. Chunks of decompressed bytes
//! travel between two threads and are reused. Invariant: the reader gets all good bytes before an error.

use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::header::{BLOCK, is_header};
use super::tar::{self, LARGEST, Stream};

/// Size of a chunk, and how many may wait.
const CHUNK: usize = 256 << 10;
const WAITING: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coding {
    Tar,
    Gzip,
    Zstd,
    Json,
    Unknown,
}

/// Detects the format by the first block.
pub fn sniff(head: &[u8]) -> Coding {
    match head {
        [0x1f, 0x8b, ..] => Coding::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Coding::Zstd,
        // An empty layer.
        [] => Coding::Tar,
        _ if is_header(head) || (head.len() == BLOCK && head.iter().all(|byte| *byte == 0)) => Coding::Tar,
        _ => match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Coding::Json,
            _ => Coding::Unknown,
        },
    }
}

/// Lets `work` read the decompressed bytes of `input` while another thread reads and decompresses.
pub fn decompressed(input: Stream, coding: Coding, work: &mut dyn FnMut(Stream)) -> io::Result<()> {
    let (full, chunks) = sync_channel(WAITING);
    let (empty, spare) = channel();
    thread::scope(|scope| {
        thread::Builder::new().spawn_scoped(scope, move || feed(input, coding, &full, &spare))?;
        // Dropped when `work` returns, which ends the decompressor.
        let mut chunks = Chunks { chunks, empty, chunk: Vec::new(), at: 0, end: 0, failed: None };
        work(&mut chunks);
        Ok(())
    })
}

/// A buffer, and how much of it is used.
type Chunk = (Vec<u8>, usize);

fn feed(input: Stream, coding: Coding, full: &SyncSender<io::Result<Chunk>>, spare: &Receiver<Vec<u8>>) {
    let mut gzip;
    let mut zstd;
    let decoder: &mut dyn Read = if coding == Coding::Gzip {
        gzip = MultiGzDecoder::new(input);
        &mut gzip
    } else if coding == Coding::Tar {
        input
    } else {
        // Reads consecutive frames and skips empty ones.
        zstd = match Decoder::with_buffer(input) {
            Ok(decoder) => decoder,
            Err(error) => {
                let _ = full.send(Err(error));
                return;
            }
        };
        &mut zstd
    };
    let mut total = 0;
    loop {
        let mut chunk = spare.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let (filled, ended) = tar::fill_until(decoder, &mut chunk);
        total += filled as u64;
        // The reader has seen enough.
        if filled > 0 && full.send(Ok((chunk, filled))).is_err() {
            return;
        }
        let ended = match ended {
            Ok(true) => return,
            Ok(false) if total > LARGEST => {
                io::Error::other(format!("decompresses to more than {LARGEST} bytes"))
            }
            Ok(false) => continue,
            Err(error) => error,
        };
        let _ = full.send(Err(ended));
        return;
    }
}

/// The reader's end.
struct Chunks {
    chunks: Receiver<io::Result<Chunk>>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    end: usize,
    /// An error is kept, so that reading again does not look like the end.
    failed: Option<(ErrorKind, String)>,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let got = there.len().min(into.len());
        into[..got].copy_from_slice(&there[..got]);
        self.consume(got);
        Ok(got)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some((kind, error)) = &self.failed {
            return Err(io::Error::new(*kind, error.clone()));
        }
        if self.at == self.end {
            match self.chunks.recv() {
                Ok(Ok((chunk, end))) => {
                    let used = std::mem::replace(&mut self.chunk, chunk);
                    (self.at, self.end) = (0, end);
                    // The decompressor may have ended already.
                    let _ = self.empty.send(used);
                }
                Ok(Err(error)) => {
                    self.failed = Some((error.kind(), error.to_string()));
                    return Err(error);
                }
                Err(_) => return Ok(&[]),
            }
        }
        Ok(&self.chunk[self.at..self.end])
    }

    fn consume(&mut self, bytes: usize) {
        self.at = self.end.min(self.at + bytes);
    }
}
