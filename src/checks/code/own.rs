//! The device code of one installation, and how much of it runs on a GPU.

use std::collections::HashSet;

use super::needs;
use crate::checks::Problem;
use crate::facts::Facts;
use crate::facts::target_machine::Cuda;
use image_audit::census::{Census, Framework};
use image_audit::fatbin::{CodeKind, DeviceCode, merged, runs_on};

/// An object has code for a GPU if half of its images run there. In 23 stacks, objects had 58% or more for the GPUs that
/// their package supports, and 43% or less where only a library of NVIDIA's that was linked statically has code
/// (libtorch_cuda_cpp.so of torch 1.13).
const HALF: u64 = 2;

/// A package runs if a twentieth of its images are in objects that have code for the GPU. It was 10% in the stack where
/// the largest object is for one GPU only (FlashAttention 3 in xformers), and 0.4% where only two small libraries have
/// code (PaddlePaddle 2.6 on H100).
const FEW: u64 = 20;

/// Paths in evidence.
const OBJECTS: usize = 5;

/// The first CUDA whose driver loads device code that is compressed with zstd. The manual of nvcc says of `--compress-mode`
/// that it is not compatible with drivers that were released before CUDA 12.4. RAPIDS names driver 550.54.14
/// (docs.rapids.ai/api/rapids-cmake/stable/command/rapids_cuda_enable_fatbin_compression), and Ollama requires 550 since
/// older ones failed with "device kernel image is invalid" (github.com/ollama/ollama/pull/12258). It was not tried here.
pub const ZSTD: Cuda = (12, 4);

pub struct OwnCode<'a> {
    /// Name and version, or `The image`.
    pub subject: String,
    objects: Vec<Object<'a>>,
    /// Of all objects.
    pub code: Vec<DeviceCode>,
    /// Any image counts: of the whole image nothing is known but whether there is code.
    any: bool,
}

struct Object<'a> {
    path: Option<&'a str>,
    code: &'a [DeviceCode],
}

/// What runs on a GPU.
pub enum Runs<'a> {
    /// Machine code. Some objects may have no code for the GPU at all.
    Compiled { best: &'a DeviceCode, lacking: Vec<&'a str> },
    /// Little or no machine code, and PTX.
    Ptx { best: &'a DeviceCode },
    /// None of the images that decide, and few others.
    Few { images: u64, of: u64 },
    /// There is only LTO-IR, which nvJitLink has to link first.
    OnlyLto,
}

impl<'a> OwnCode<'a> {
    /// That of the objects that can be loaded.
    pub fn of(facts: &Facts, framework: &'a Framework) -> OwnCode<'a> {
        let objects = needs::loadable(facts, framework);
        OwnCode {
            subject: named(framework),
            any: false,
            code: merged(objects.iter().map(|object| object.device_code.as_slice())),
            objects: objects
                .into_iter()
                .map(|object| Object { path: Some(&object.path), code: &object.device_code })
                .collect(),
        }
    }

    /// All code of the image, NVIDIA's libraries included.
    pub fn whole(census: &'a Census) -> Option<OwnCode<'a>> {
        let code = &census.device_code;
        let objects = vec![Object { path: None, code }];
        (!code.is_empty()).then(|| OwnCode {
            subject: "The image".to_owned(),
            objects,
            code: code.clone(),
            any: true,
        })
    }

    /// A problem whose cause begins with the name, and the architectures of each object as evidence.
    pub fn problem(&self, rest: &str) -> Problem {
        self.with_evidence(rest, &self.objects.iter().collect::<Vec<_>>())
    }

    /// A problem with some of the objects.
    pub fn problem_about(&self, rest: &str, paths: &[&str]) -> Problem {
        let about = |object: &&Object| object.path.is_some_and(|path| paths.contains(&path));
        self.with_evidence(rest, &self.objects.iter().filter(about).collect::<Vec<_>>())
    }

    fn with_evidence(&self, rest: &str, objects: &[&Object]) -> Problem {
        let mut problem = Problem::new(format!("{} {rest}", self.subject));
        problem.path = objects.first().and_then(|object| object.path).map(str::to_owned);
        let list =
            |code: &[DeviceCode]| code.iter().map(|code| code.arch.as_str()).collect::<Vec<_>>().join(", ");
        for object in objects.iter().take(OBJECTS) {
            problem = match object.path {
                Some(path) => problem.file(path, &format!(": {}", list(object.code))),
                None => problem.evidence(format!("device code: {}", list(object.code))),
            };
        }
        match objects.len().saturating_sub(OBJECTS) {
            0 => problem,
            more => problem.evidence(format!("and {more} more objects with device code")),
        }
    }

    /// A problem with an installation that has few images for the GPU, or none.
    pub fn too_little(&self, gpu: u32, images: u64, of: u64) -> Problem {
        match images {
            0 => self.problem(&format!("has neither code for sm_{gpu} nor PTX that runs on it.")),
            _ => self.problem(&format!("has code for sm_{gpu} in only {images} of {of} images.")),
        }
    }

    pub fn on(&self, gpu: u32) -> Runs<'_> {
        let of = self.objects.iter().map(Object::images).fold(0, u64::saturating_add);
        if of == 0 {
            return Runs::OnlyLto;
        }
        let sum =
            |images: &dyn Fn(&Object) -> u64| self.objects.iter().map(images).fold(0, u64::saturating_add);
        let enough = |kinds| {
            if self.any {
                return sum(&|object| object.running(gpu, kinds)) > 0;
            }
            let running = sum(&|object| if object.has_code(gpu, kinds) { object.images() } else { 0 });
            running.saturating_mul(FEW) >= of
        };
        match (self.best(CodeKind::Cubin, gpu), self.best(CodeKind::Ptx, gpu)) {
            (Some(best), _) if enough(COMPILED) => Runs::Compiled { best, lacking: self.lacking(gpu) },
            (_, Some(best)) if enough(ANY) => Runs::Ptx { best },
            _ => Runs::Few { images: sum(&|object| object.running(gpu, ANY)), of },
        }
    }

    /// Of one kind that runs, how many images are compressed with zstd, and of how many.
    pub fn zstd(&self, kind: CodeKind, gpu: u32) -> (u64, u64) {
        let fit = self.code.iter().filter(|code| code.kind == kind && runs_on(code, gpu));
        fit.fold((0, 0), |(zstd, all), code| {
            (code.zstd.saturating_add(zstd), code.images.saturating_add(all))
        })
    }

    /// The newest, as the driver chooses. Code for one architecture only (sm_90a) covers a few kernels.
    fn best(&self, kind: CodeKind, gpu: u32) -> Option<&DeviceCode> {
        let mut fit = self.code.iter().filter(|code| code.kind == kind && runs_on(code, gpu));
        fit.clone().rfind(|code| is_plain(code)).or_else(|| fit.next_back())
    }

    /// Objects without any code for the GPU. Of objects that only differ in a number (one for each CUDA), one is loaded.
    fn lacking(&self, gpu: u32) -> Vec<&str> {
        let runs = |object: &&Object| object.running(gpu, ANY) > 0;
        let (running, lacking): (Vec<_>, Vec<_>) =
            self.objects.iter().filter(|object| object.images() > 0).partition(runs);
        let running: HashSet<String> = running
            .into_iter()
            .filter_map(|object: &Object| object.path)
            .map(needs::without_digits)
            .collect();
        let lacking = lacking.into_iter().filter_map(|object: &Object| object.path);
        lacking.filter(|path| !running.contains(&needs::without_digits(path))).collect()
    }
}

const COMPILED: &[CodeKind] = &[CodeKind::Cubin];
const ANY: &[CodeKind] = &[CodeKind::Cubin, CodeKind::Ptx];

impl Object<'_> {
    /// How many images it has for the architecture with the most: about the number of its modules. Code for one
    /// architecture only (sm_90a) may come on top of that.
    fn images(&self) -> u64 {
        let most = |plain: bool| {
            let of = self.code.iter().filter(|code| code.kind != CodeKind::Lto);
            of.filter(|code| is_plain(code) == plain).map(|code| code.images).max()
        };
        most(true).or_else(|| most(false)).unwrap_or(0)
    }

    fn has_code(&self, gpu: u32, kinds: &[CodeKind]) -> bool {
        let running = self.running(gpu, kinds);
        running > 0 && running.saturating_mul(HALF) >= self.images()
    }

    fn running(&self, gpu: u32, kinds: &[CodeKind]) -> u64 {
        let fit = self.code.iter().filter(|code| kinds.contains(&code.kind) && runs_on(code, gpu));
        fit.map(|code| code.images).fold(0, u64::saturating_add).min(self.images())
    }
}

/// Not for one architecture or one family only.
fn is_plain(code: &DeviceCode) -> bool {
    !code.arch.ends_with(char::is_alphabetic)
}

/// `torch 2.9.0`.
pub fn named(framework: &Framework) -> String {
    match &framework.version {
        Some(version) => format!("{} {version}", framework.name),
        None => framework.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_audit::census::CodeObject;

    /// Objects with `sm_90:12` for 12 images.
    fn framework(objects: &[(&str, &[&str])]) -> Framework {
        let code = |text: &&str| {
            let (arch, images) = text.split_once(':').unwrap();
            let kind = match &arch[..2] {
                "sm" => CodeKind::Cubin,
                "lt" => CodeKind::Lto,
                _ => CodeKind::Ptx,
            };
            let images = images.parse().unwrap();
            DeviceCode { arch: arch.to_owned(), kind, bytes: images, images, ptx_version: None, zstd: 0 }
        };
        let object = |(path, list): &(&str, &[&str])| CodeObject {
            path: path.to_string(),
            device_code: list.iter().map(code).collect(),
        };
        let objects = objects.iter().map(object).collect();
        Framework { name: "demo".into(), version: Some("1".into()), objects, uses: Vec::new() }
    }

    fn on(objects: &[(&str, &[&str])], gpu: u32) -> String {
        match OwnCode::of(&Facts::default(), &framework(objects)).on(gpu) {
            Runs::Compiled { best, lacking } => format!("{} {}", best.arch, lacking.join(" ")),
            Runs::Ptx { best } => best.arch.clone(),
            Runs::Few { images, of } => format!("{images} of {of}"),
            Runs::OnlyLto => "LTO".to_owned(),
        }
    }

    /// The numbers of images are those of the packages on PyPI.
    #[test]
    fn most_images_decide() {
        let paddle: &[(&str, &[&str])] = &[
            ("libphi.so", &["sm_70:666", "sm_80:665", "sm_86:665", "sm_90:1"]),
            ("libpaddle.so", &["sm_70:138", "sm_80:138", "sm_86:138"]),
            ("libwarpctc.so", &["sm_70:2", "sm_80:2", "sm_90:2"]),
            ("libflashattn.so", &["sm_80:43", "sm_86:43"]),
        ];
        assert_eq!(on(paddle, 90), "3 of 849");
        assert_eq!(on(paddle, 70), "sm_70 libflashattn.so");
        assert_eq!(on(paddle, 86), "sm_86 ");
        let onnxruntime: &[(&str, &[&str])] =
            &[("x", &["sm_75:217", "sm_80:308", "sm_90a:600", "sm_120a:317"])];
        assert_eq!(
            [75, 90, 100, 121].map(|gpu| on(onnxruntime, gpu)),
            ["sm_75 ", "sm_90a ", "0 of 308", "0 of 308"]
        );
    }

    #[test]
    fn ptx_counts_where_compiled_code_does_not() {
        let tensorflow: &[(&str, &[&str])] = &[("x", &["sm_80:278", "sm_90:278", "compute_90:277"])];
        assert_eq!([80, 120].map(|gpu| on(tensorflow, gpu)), ["sm_80 ", "compute_90"]);
        assert_eq!(on(&[("x", &["sm_80:1", "compute_80:99"])], 80), "compute_80", "one image is too few");
    }

    /// A library of NVIDIA's is linked into one of the objects of torch 1.13, with PTX for its newest GPU.
    #[test]
    fn code_of_a_static_library_does_not_decide() {
        let torch: &[(&str, &[&str])] = &[
            ("libtorch_cuda_cu.so", &["sm_70:274", "sm_80:287", "sm_86:279"]),
            ("libtorch_cuda_cpp.so", &["sm_70:155", "sm_80:176", "sm_86:65", "compute_86:75"]),
        ];
        assert_eq!([80, 86, 90].map(|gpu| on(torch, gpu)), ["sm_80 ", "sm_86 ", "75 of 463"]);
    }

    #[test]
    fn the_largest_object_may_be_for_one_gpu() {
        let xformers: &[(&str, &[&str])] = &[
            ("flash_attn_3/_C.so", &["sm_80:153", "sm_90a:153", "compute_80:153"]),
            ("_C.so", &["sm_75:18", "sm_80:18", "sm_90a:18", "sm_121a:18", "compute_80:18"]),
        ];
        let on = |gpu| on(xformers, gpu);
        assert_eq!([70, 75, 90].map(on), ["0 of 171", "sm_75 flash_attn_3/_C.so", "sm_90a "]);
    }

    #[test]
    fn of_one_object_for_each_cuda_one_is_loaded() {
        let bitsandbytes: &[(&str, &[&str])] =
            &[("lib_cuda118.so", &["sm_80:9"]), ("lib_cuda128.so", &["sm_80:9", "sm_100:9"])];
        assert_eq!(on(bitsandbytes, 100), "sm_100 ");
    }

    #[test]
    fn lto_alone_decides_nothing() {
        assert_eq!(on(&[("x", &["lto_80:9"])], 80), "LTO");
    }

    #[test]
    fn evidence_names_a_few_objects() {
        let names: Vec<String> = (0..7).map(|number| format!("/opt/{number}.so")).collect();
        let objects: Vec<(&str, &[&str])> =
            names.iter().map(|name| (name.as_str(), &["sm_80:1"][..])).collect();
        let problem = OwnCode::of(&Facts::default(), &framework(&objects)).problem("has none.");
        let lines: Vec<&str> = problem.evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(problem.cause, "demo 1 has none.");
        assert_eq!(
            (lines.len(), lines[0], lines[5]),
            (6, "/opt/0.so: sm_80", "and 2 more objects with device code")
        );
    }
}
