//! Just enough of tar to make archives of an input, and to repair checksums.

pub const BLOCK: usize = 512;

/// Adds a member.
pub fn push(tar: &mut Vec<u8>, name: &[u8], kind: u8, link: &[u8], mode: u32, content: &[u8]) {
    let mut block = [0; BLOCK];
    let name = &name[..name.len().min(100)];
    let link = &link[..link.len().min(100)];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(format!("{:07o}", mode & 0o7777).as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    sign(&mut block);
    tar.extend(block);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}

/// Adds the end marker.
pub fn end(tar: &mut Vec<u8>) {
    tar.resize(tar.len() + 2 * BLOCK, 0);
}

/// Repairs the checksum of every header, including those of nested archives.
pub fn repair(tar: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        sign(header);
        let digits = header[124..136].iter().skip_while(|byte| **byte == b' ');
        let digits = digits.take_while(|byte| (b'0'..b'8').contains(*byte));
        let size = digits.fold(0usize, |size, digit| size << 3 | usize::from(digit - b'0'));
        let has_content = !(b'1'..=b'6').contains(&header[156]);
        at += BLOCK;
        if has_content {
            let end = at.saturating_add(size).min(tar.len());
            if tar[at..end].get(257..262) == Some(b"ustar") {
                repair(&mut tar[at..end]);
            }
            at = end.next_multiple_of(BLOCK);
        }
    }
}

fn sign(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}
