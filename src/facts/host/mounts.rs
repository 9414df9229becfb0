//! Mount points of NVIDIA files.

use super::files::read;

/// Mount points with names that the NVIDIA container toolkit, WSL and NixOS use.
pub fn mounts() -> Vec<String> {
    parse_mounts(&read("/proc/self/mountinfo").unwrap_or_default())
}

fn parse_mounts(text: &str) -> Vec<String> {
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let is_nvidia = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        path.contains("nvidia")
            || path.contains("/wsl/")
            || name.starts_with("libcuda")
            || name.starts_with("libnv")
            || path.contains("opengl-driver")
    };
    points.filter(is_nvidia).collect()
}

/// mountinfo escapes space, tab, newline and backslash in octal.
fn unescape(text: &str) -> String {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_unescaped_and_filtered() {
        let text = "22 1 0:21 / /proc rw - proc proc rw\n\
            99 1 0:5 /x /usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05 ro - ext4 /dev/sda1 rw\n\
            98 1 0:5 /y /opt/my\\040nvidia ro - ext4 /dev/sda1 rw\n";
        assert_eq!(parse_mounts(text), ["/usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05", "/opt/my nvidia"]);
    }
}
