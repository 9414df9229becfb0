//! Builds machines and breaks them.
//!
//! A machine is assembled for each run, in its own namespaces, so a remedy can undo single steps. Stand-ins replace
//! what needs a GPU: a device node that opens is /dev/null under another name, and files are mounted over those of
//! /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::util::{Root, fakes, is_root, part};

/// Version of the fake driver and, by default, of the kernel module.
pub const DRIVER: &str = "550.54.15";
/// Version of a driver that was left in the image.
pub const OLD_DRIVER: &str = "535.104.05";

const LIBCUDA: &str = "libcuda.so.1";
const NVML: &str = "libnvidia-ml.so.1";
const CUDA: [&str; 4] = ["libcublasLt.so.12", "libcublas.so.12", "libcudart.so.12", "libcupti.so.12"];

/// Directory of cuda-compat.
const COMPAT: &str = "/usr/local/cuda/compat";

/// Moves the shell and its children into a device cgroup that denies NVIDIA's major numbers.
const DENY: &str = "G=/sys/fs/cgroup/devices/cudacheck-test-$TEST
mkdir -p $G
echo 'c 195:* rwm' >$G/devices.deny
echo 'c 511:* rwm' >$G/devices.deny
echo 0 >$G/tasks";

/// A device node in /dev.
#[derive(Clone)]
enum Node {
    /// Opens.
    Open,
    /// Made by mknod: type and numbers, mode, group.
    Made(&'static str, &'static str, u32),
}

pub struct Machine {
    root: Root,
    nodes: BTreeMap<&'static str, Node>,
    /// Mount options of /dev.
    dev: &'static str,
    /// Files and directories to bind-mount, as a container runtime does.
    mounts: BTreeSet<String>,
    /// Files to mount over those of /proc.
    proc: BTreeMap<&'static str, String>,
    module: Option<String>,
    environment: BTreeMap<&'static str, String>,
    /// Commands that run before the binary; `$R` is the root.
    shell: BTreeSet<&'static str>,
    user: Option<&'static str>,
    /// Size of /dev/shm.
    shared_memory: &'static str,
    timeout: &'static str,
    /// What this test machine lacks for the scenario.
    pub lacks: Option<String>,
}

impl Machine {
    fn of(root: Root) -> Machine {
        Machine {
            root,
            nodes: BTreeMap::new(),
            dev: "dev",
            mounts: BTreeSet::new(),
            proc: BTreeMap::new(),
            module: None,
            environment: BTreeMap::new(),
            shell: BTreeSet::new(),
            user: None,
            shared_memory: "1g",
            timeout: "30s",
            lacks: None,
        }
    }

    /// A glibc image on a host without a driver.
    pub fn without_driver() -> Machine {
        Machine::of(Root::glibc())
    }

    /// The same on a host with the driver; the GPU was not requested.
    pub fn without_gpu() -> Machine {
        Machine::without_driver().with_module(&closed_module(DRIVER))
    }

    /// A container with its GPU and CUDA libraries.
    pub fn whole(script: &str) -> Machine {
        Machine::without_gpu().with_cuda().given_gpu().script(&format!("sms = 2\n{script}"))
    }

    /// The same with libraries that open the device nodes, as the real ones do.
    pub fn that_opens_nodes(script: &str) -> Machine {
        Machine::whole(&format!("opens_nodes = 1\n{script}"))
    }

    /// Only the binary and what the container runtime injects.
    pub fn from_scratch() -> Machine {
        Machine::of(Root::empty()).with_module(&closed_module(DRIVER)).given_gpu()
    }

    /// A WSL 2 container: one device node, and the driver in WSL's directory.
    pub fn wsl(script: &str) -> Machine {
        Machine::without_driver()
            .with_cuda()
            .with_node("dxg")
            .given_driver("/usr/lib/wsl/lib")
            .env("LD_LIBRARY_PATH", "/usr/lib/wsl/lib")
            .proc("version", "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@builder) #1 SMP\n")
            .script(&format!("sms = 2\n{script}"))
    }

    /// A container on a Jetson: Tegra's device nodes, and no NVML.
    pub fn jetson(script: &str) -> Machine {
        let machine = ["nvmap", "nvhost-ctrl", "nvhost-gpu"]
            .into_iter()
            .fold(Machine::without_driver(), Machine::with_node);
        machine
            .with_cuda()
            .given_libcuda()
            .file("/etc/nv_tegra_release", "# R35 (release), REVISION: 4.1\n")
            .script(&format!("sms = 2\n{script}"))
    }

    pub fn with_module(mut self, version: &str) -> Machine {
        self.module = Some(version.to_owned());
        // Stand-ins for device nodes have the major number of /dev/null.
        self.proc
            .insert("devices", "Character devices:\n  1 nvidia\n  1 nvidiactl\n  1 nvidia-uvm\n\n".into());
        self
    }

    /// What `docker run --gpus all` injects: device nodes, and driver libraries as mounts.
    pub fn given_gpu(self) -> Machine {
        self.given_nodes().given_driver("/usr/lib")
    }

    pub fn given_nodes(self) -> Machine {
        ["nvidiactl", "nvidia-uvm", "nvidia0"].into_iter().fold(self, Machine::with_node)
    }

    pub fn given_driver(self, directory: &str) -> Machine {
        self.given(LIBCUDA, directory).given(NVML, directory)
    }

    pub fn given_libcuda(self) -> Machine {
        self.given(LIBCUDA, "/usr/lib")
    }

    pub fn given_nvml(self) -> Machine {
        self.given(NVML, "/usr/lib")
    }

    fn given(self, library: &str, directory: &str) -> Machine {
        self.with_fake(library, directory).mounted(&format!("{directory}/{library}"))
    }

    pub fn without_libcuda(self) -> Machine {
        self.without(&format!("/usr/lib/{LIBCUDA}"))
    }

    pub fn without_nvml(self) -> Machine {
        self.without(&format!("/usr/lib/{NVML}"))
    }

    /// CUDA libraries of the image.
    pub fn with_cuda(self) -> Machine {
        CUDA.into_iter().fold(self, |machine, library| machine.with_fake(library, "/usr/lib"))
    }

    pub fn without_cuda(self) -> Machine {
        CUDA.into_iter().fold(self, |machine, library| machine.without(&format!("/usr/lib/{library}")))
    }

    pub fn with_fake(self, library: &str, directory: &str) -> Machine {
        self.copied(&fakes().join(library), &format!("{directory}/{library}"))
    }

    /// Driver libraries of another version under their full names, as packages install them.
    pub fn with_driver_of(self, version: &str) -> Machine {
        [("libcuda.so", LIBCUDA), ("libnvidia-ml.so", NVML)].into_iter().fold(
            self,
            |machine, (stem, name)| {
                let file = format!("{stem}.{version}");
                let machine = machine.without(&format!("/usr/lib/{name}"));
                machine
                    .copied(&fakes().join(name), &format!("/usr/lib/{file}"))
                    .linked(&format!("/usr/lib/{name}"), &file)
            },
        )
    }

    /// NVIDIA's driver libraries.
    pub fn with_real_driver(mut self) -> Machine {
        let Some(driver) = self.part("driver/535") else { return self };
        let from = driver.join("usr/lib/x86_64-linux-gnu/nvidia/current");
        for name in [LIBCUDA, NVML] {
            self = self
                .without(&format!("/usr/lib/{name}"))
                .copied(&from.join(name), &format!("/usr/lib/{name}"));
            self = self.mounted(&format!("/usr/lib/{name}"));
        }
        for name in ["libdl.so.2", "libpthread.so.0", "librt.so.1", "libm.so.6"] {
            let file = format!("/lib/x86_64-linux-gnu/{name}");
            if Path::new(&file).exists() {
                self = self.copied(Path::new(&file), &file);
            }
        }
        self
    }

    /// The stub libcuda of NVIDIA's toolkit.
    pub fn with_real_stub(mut self, directory: &str) -> Machine {
        let Some(toolkit) = self.part("toolkit11") else { return self };
        let stub = toolkit.join("usr/lib/x86_64-linux-gnu/stubs/libcuda.so");
        self.copied(&stub, &format!("{directory}/libcuda.so"))
            .linked(&format!("{directory}/{LIBCUDA}"), "libcuda.so")
    }

    /// Alpine's musl loader.
    pub fn with_real_musl(mut self) -> Machine {
        let Some(musl) = self.part("musl") else { return self };
        self.copied(&musl.join("lib/ld-musl-x86_64.so.1"), "/lib/ld-musl-x86_64.so.1")
    }

    /// A real library with device code in /app.
    pub fn with_real_library(mut self, of: &str, path: &str) -> Machine {
        let Some(part) = self.part(of) else { return self };
        let name = path.rsplit('/').next().unwrap_or(path);
        self.copied(&part.join(path), &format!("/app/{name}"))
    }

    /// A libcuda of cuda-compat before the driver's in the search path, with its own script.
    pub fn with_compat(self, script: &str) -> Machine {
        self.with_compat_library(script).env("LD_LIBRARY_PATH", COMPAT)
    }

    /// The same as the container runtime enables it: through ld.so.cache.
    pub fn with_compat_in_force(self, script: &str) -> Machine {
        self.with_compat_library(script).file("/etc/ld.so.conf", COMPAT).shell("ldconfig -r $R")
    }

    fn with_compat_library(self, script: &str) -> Machine {
        self.copied(&fakes().join(LIBCUDA), &format!("{COMPAT}/libcuda.so.575.57.08"))
            .linked(&format!("{COMPAT}/{LIBCUDA}"), "libcuda.so.575.57.08")
            .file(&format!("{COMPAT}/fake-gpu"), &format!("sms = 2\n{script}"))
    }

    /// A libcuda that needs a newer glibc than the image has.
    pub fn with_libcuda_of_newer_glibc(self) -> Machine {
        let path = format!("/usr/lib/{LIBCUDA}");
        let machine = self.without(&path).file("/tmp/libc.map", "GLIBC_2.99 { global: of_tomorrow; };");
        let libc = ["-nostdlib", "-Wl,-soname,libc.so.6", "-Wl,--version-script=libc.map"];
        machine
            .compiled("/tmp/libc.so.6", "int of_tomorrow(void) { return 0; }", &libc)
            .compiled(
                &path,
                "int of_tomorrow(void); int cuInit(unsigned f) { return of_tomorrow(); }",
                &["-nostdlib", "../../tmp/libc.so.6"],
            )
            .without("/tmp/libc.so.6")
            .without("/tmp/libc.map")
            .mounted(&path)
    }

    /// A library with this soname.
    pub fn with_library(self, path: &str) -> Machine {
        let soname = format!("-Wl,-soname,{}", path.rsplit('/').next().unwrap_or(path));
        self.compiled(path, "int present;", &[&soname])
    }

    /// The memory cgroup after three OOM kills.
    pub fn at_its_memory_limit(self) -> Machine {
        self.file("/sys/fs/cgroup/memory.max", "268435456\n")
            .file("/sys/fs/cgroup/memory.current", "268300288\n")
            .file("/sys/fs/cgroup/memory.events", "oom 3\noom_kill 3\n")
    }

    /// An object that needs a missing library.
    pub fn needing(self, object: &str, library: &str) -> Machine {
        let soname = format!("-Wl,-soname,{library}");
        let place = format!("/app/{library}");
        self.compiled(&place, "int wanted;", &[&soname])
            .compiled(object, "extern int wanted; int *use(void) { return &wanted; }", &[library])
            .without(&place)
    }

    /// An application with cuDNN 9.1, and a cuDNN 9.5 sub-library in another directory.
    pub fn with_two_cudnns(self) -> Machine {
        let part = "-Wl,-soname,libcudnn_ops.so.9";
        self.compiled("/opt/cudnn-9.5/libcudnn_ops.so.9.5.1", "int ops;", &[part])
            .linked("/opt/cudnn-9.5/libcudnn_ops.so.9", "libcudnn_ops.so.9.5.1")
            .compiled("/app/libcudnn_ops.so.9.1.0", "int ops;", &[part])
            .linked("/app/libcudnn_ops.so.9", "libcudnn_ops.so.9.1.0")
            .compiled(
                "/app/libcudnn.so.9.1.0",
                "extern int ops; int *cudnn(void) { return &ops; }",
                &["-Wl,-soname,libcudnn.so.9", "-Wl,-rpath,$ORIGIN", "libcudnn_ops.so.9"],
            )
            .linked("/app/libcudnn.so.9", "libcudnn.so.9.1.0")
            .compiled(
                "/app/train.so",
                "int *cudnn(void); int *use(void) { return cudnn(); }",
                &["-Wl,-rpath,$ORIGIN", "libcudnn.so.9"],
            )
    }

    /// NVRTC, which loads its builtins with dlopen.
    pub fn with_nvrtc(self) -> Machine {
        let source = "void *dlopen(const char *, int);\n\
            void *nvrtc(void) { return dlopen(\"libnvrtc-builtins.so.12.4\", 2); }";
        self.compiled("/usr/lib/libnvrtc.so.12", source, &["-Wl,-soname,libnvrtc.so.12"]).compiled(
            "/app/train.so",
            "void *nvrtc(void); void *use(void) { return nvrtc(); }",
            &["../usr/lib/libnvrtc.so.12"],
        )
    }

    /// A library that needs more static TLS than the loader reserves for dlopen.
    pub fn with_static_tls(self, path: &str) -> Machine {
        let source = "static __thread char large[1 << 20] __attribute__((tls_model(\"initial-exec\")));\n\
            char *use(void) { return large; }";
        self.without(path).compiled(path, source, &[])
    }

    pub fn with_shared_memory(mut self, size: &'static str) -> Machine {
        self.shared_memory = size;
        self
    }

    fn part(&mut self, name: &str) -> Option<PathBuf> {
        let part = part(name);
        if part.is_none() {
            self.lacks = Some(format!("the part {name}"));
        }
        part
    }

    fn needs_root(mut self, what: &str) -> Machine {
        if !is_root() {
            self.lacks = Some(format!("root, which is needed for {what}"));
        }
        self
    }

    /// A library made by the C compiler.
    pub fn compiled(self, path: &str, source: &str, options: &[&str]) -> Machine {
        let file = self.root.path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let code = self.root.path("/tmp/source.c");
        fs::write(&code, source).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-w", "-o"]).arg(&file).arg(&code).args(options);
        let output = compiler.current_dir(file.parent().unwrap()).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        fs::remove_file(code).unwrap();
        self
    }

    pub fn copied(self, from: &Path, to: &str) -> Machine {
        self.root.copy(from, to);
        self
    }

    pub fn linked(self, path: &str, to: &str) -> Machine {
        let machine = self.without(path);
        std::os::unix::fs::symlink(to, machine.root.path(path)).unwrap();
        machine
    }

    pub fn file(self, path: &str, text: &str) -> Machine {
        self.root.write(path, text.as_bytes());
        self
    }

    pub fn without(mut self, path: &str) -> Machine {
        let _ = fs::remove_file(self.root.path(path));
        self.mounts.remove(path);
        self
    }

    pub fn mounted(mut self, path: &str) -> Machine {
        self.mounts.insert(path.to_owned());
        self
    }

    /// The script of the fakes.
    pub fn script(self, text: &str) -> Machine {
        self.root.script(text);
        self
    }

    /// A device node that opens.
    pub fn with_node(mut self, name: &'static str) -> Machine {
        self.nodes.insert(name, Node::Open);
        self
    }

    pub fn without_node(mut self, name: &str) -> Machine {
        self.nodes.remove(name);
        self
    }

    /// A device node with these numbers, such as `c 195 255`.
    pub fn with_made_node(
        mut self,
        name: &'static str,
        numbers: &'static str,
        mode: &'static str,
        group: u32,
    ) -> Machine {
        self.nodes.insert(name, Node::Made(numbers, mode, group));
        self.needs_root("device nodes")
    }

    /// Device nodes with NVIDIA's numbers, which no driver serves here.
    pub fn with_nodes_of_nvidia(self) -> Machine {
        let majors = "Character devices:\n195 nvidia\n195 nvidiactl\n511 nvidia-uvm\n\n";
        let machine = self.proc("devices", majors);
        let nodes = [("nvidiactl", "c 195 255"), ("nvidia0", "c 195 0"), ("nvidia-uvm", "c 511 0")];
        nodes
            .into_iter()
            .fold(machine, |machine, (name, numbers)| machine.with_made_node(name, numbers, "0666", 0))
    }

    /// Device nodes that only a group can open.
    pub fn with_nodes_of_group(self, group: u32) -> Machine {
        let nodes = ["nvidiactl", "nvidia0", "nvidia-uvm"];
        nodes.into_iter().fold(self, |machine, name| machine.with_made_node(name, "c 1 3", "0660", group))
    }

    /// The kernel returns EACCES when a device node is opened, as with a security module.
    pub fn that_refuses_devices(mut self) -> Machine {
        self.dev = "nodev";
        let nodes = ["nvidiactl", "nvidia0", "nvidia-uvm"];
        nodes.into_iter().fold(self, |machine, name| machine.with_made_node(name, "c 1 3", "0666", 0))
    }

    /// Denies NVIDIA's devices in the container's device cgroup.
    pub fn denied_by_cgroup(self) -> Machine {
        let mut machine = self.needs_root("a device cgroup");
        if !Path::new("/sys/fs/cgroup/devices/tasks").exists() {
            machine.lacks =
                Some("a cgroup v1 device controller; tests/docker/run.sh uses the engine's".into());
        }
        machine.shell(DENY)
    }

    /// `docker rm` and `docker run --gpus all`: current device nodes, allowed by the cgroup.
    pub fn recreated(self) -> Machine {
        let module = self.module.clone().unwrap_or_default();
        self.without_shell(DENY).with_module(&module).given_nodes()
    }

    pub fn env(mut self, name: &'static str, value: &str) -> Machine {
        self.environment.insert(name, value.to_owned());
        self
    }

    pub fn unset(mut self, name: &str) -> Machine {
        self.environment.remove(name);
        self
    }

    /// Replaces a file of /proc.
    pub fn proc(mut self, name: &'static str, text: &str) -> Machine {
        self.proc.insert(name, text.to_owned());
        self
    }

    pub fn shell(mut self, command: &'static str) -> Machine {
        self.shell.insert(command);
        self
    }

    pub fn without_shell(mut self, command: &str) -> Machine {
        self.shell.remove(command);
        self
    }

    /// `uid:gid`, and options for chroot.
    pub fn user(mut self, user: &'static str) -> Machine {
        self.user = Some(user);
        self.needs_root("other users")
    }

    pub fn timeout(mut self, timeout: &'static str) -> Machine {
        self.timeout = timeout;
        self
    }

    /// Report and exit status of the main command.
    pub fn report(&mut self, level: &str) -> (Value, i32) {
        self.assemble();
        self.root.report(&["--level", level, "--timeout", self.timeout])
    }

    fn assemble(&mut self) {
        let mut prepare =
            format!("mount -n -t tmpfs -o {},mode=755 tmpfs $R/dev\nmkdir $R/dev/shm\n", self.dev);
        prepare += &format!("mount -n -t tmpfs -o size={} tmpfs $R/dev/shm\n", self.shared_memory);
        for (name, node) in &self.nodes {
            let path = format!("$R/dev/{name}");
            prepare += &match node {
                Node::Open => {
                    format!("mkdir -p $(dirname {path}); : >{path}; mount -n --bind /dev/null {path}\n")
                }
                Node::Made(numbers, mode, group) => {
                    format!("mknod -m {mode} {path} {numbers}; chgrp {group} {path}\n")
                }
            };
        }
        if let Some(version) = &self.module {
            self.root.write("/.machine/driver/nvidia/version", version.as_bytes());
            self.root.write("/.machine/driver/nvidia/params", b"RmProfilingAdminOnly: 1\n");
            prepare += "mount -n --bind $R/.machine/driver $R/proc/driver\n";
        }
        for (name, text) in &self.proc {
            let file = format!("/.machine/proc/{}", name.replace('/', "-"));
            self.root.write(&file, text.as_bytes());
            prepare += &format!("mount -n --bind $R{file} $R/proc/{name}\n");
        }
        for path in &self.mounts {
            prepare += &format!("mount -n --bind $R{path} $R{path}\n");
        }
        for command in &self.shell {
            prepare += command;
            prepare += "\n";
        }
        self.root.prepare = prepare;
        self.root.user = self.user.map(str::to_owned);
        self.root.environment =
            self.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.root.set("TEST", &std::process::id().to_string());
    }
}

/// Removes the device cgroup.
pub fn clean() {
    let _ = fs::remove_dir(format!("/sys/fs/cgroup/devices/cudacheck-test-{}", std::process::id()));
}

pub fn closed_module(version: &str) -> String {
    format!("NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Tue Mar  5 22:23:56 UTC 2024\n")
}

pub fn open_module(version: &str) -> String {
    format!("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build\n")
}
