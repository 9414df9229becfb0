"""What frameworks do on import, and how they find their libraries without a GPU.

One script for each module. It prints what must not change when redundant copies are deleted, and finally triggers
libraries that are loaded late. PRELUDE comes before it; `attempt` prints the result of a call or its error.
"""

SCRIPTS = {
    "torch": """
        import torch, torch._C
        print(torch.__version__, torch.version.cuda, torch._C.__file__, torch.cuda.is_available())
        print(torch.backends.cudnn.version(), torch.cuda.nccl.version(), torch.profiler.kineto_available())
        print(torch.linalg.inv(torch.eye(3)).sum().item())
        with torch.profiler.profile(activities=list(torch.profiler.ProfilerActivity.__members__.values())[:2]):
            print((torch.ones(2, 2) @ torch.ones(2, 2)).sum().item())
        attempt(lambda: torch._C._cuda_init())
        attempt(lambda: torch.cuda._utils._get_nvrtc_library())
        attempt(lambda: torch.ops.load_library(torch.__path__[0] + "/lib/libcaffe2_nvrtc.so"))
        attempt(lambda: torch.ops.load_library(torch.__path__[0] + "/lib/libtorch_cuda_linalg.so"))
        """,
    "triton": """
        import triton
        from triton._C import libtriton
        print(triton.__version__, libtriton.__file__)
        attempt(lambda: __import__("triton.profiler").profiler.start("/tmp/profile"))
        """,
    "cuda.bindings": """
        from cuda.bindings import nvrtc
        print(nvrtc.nvrtcVersion())
        for name in ["driver", "nvjitlink", "nvvm", "nvfatbin", "cufile", "nvml"]:
            attempt(lambda: __import__(f"cuda.bindings.{name}"))
        attempt(lambda: __import__("cuda.bindings.nvjitlink").bindings.nvjitlink.version())
        attempt(lambda: __import__("cuda.bindings.nvvm").bindings.nvvm.version())
        """,
    "jax": """
        import jax
        print(jax.__version__, jax.devices(), jax.numpy.linalg.inv(jax.numpy.eye(3)).sum())
        attempt(lambda: __import__("jax_cuda12_plugin._versions")._versions.cudnn_get_version())
        attempt(lambda: __import__("jax_plugins.xla_cuda12").xla_cuda12.initialize())
        """,
    "cupy": """
        import cupy
        print(cupy.__version__)
        attempt(lambda: cupy.cuda.runtime.runtimeGetVersion())
        attempt(lambda: cupy.show_config())
        for name in ["cublas", "cufft", "curand", "cusolver", "cusparse", "nvrtc", "cudnn", "nccl", "cutensor"]:
            attempt(lambda: __import__(f"cupy_backends.cuda.libs.{name}"))
            attempt(lambda: getattr(__import__(f"cupy.cuda.{name}").cuda, name).getVersion())
        """,
    "onnxruntime": """
        import ctypes, os, onnxruntime
        print(onnxruntime.__version__, onnxruntime.get_available_providers())
        attempt(lambda: onnxruntime.preload_dlls())
        capi = os.path.dirname(onnxruntime.capi.__file__)
        for name in ["shared", "cuda", "tensorrt"]:
            attempt(lambda: ctypes.CDLL(f"{capi}/libonnxruntime_providers_{name}.so", ctypes.RTLD_GLOBAL))
        """,
    "faiss": """
        import faiss
        print(faiss.__version__)
        attempt(lambda: faiss.get_compile_options())
        """,
    "ctranslate2": """
        import ctranslate2
        print(ctranslate2.__version__)
        attempt(lambda: sorted(ctranslate2.get_supported_compute_types("cpu")))
        attempt(lambda: ctranslate2.get_cuda_device_count())
        """,
    "tensorflow": """
        import tensorflow
        print(tensorflow.__version__, tensorflow.sysconfig.get_build_info()["cuda_version"])
        attempt(lambda: tensorflow.config.list_physical_devices("GPU"))
        """,
    "paddle": """
        import paddle
        print(paddle.__version__, paddle.version.cuda())
        # Its own finders, which it calls when an operator needs a library. They end the process if they find nothing.
        phi = ctypes.CDLL(paddle.__path__[0] + "/libs/libphi.so")
        for name in ["Cublas", "CublasLt", "CUDNN", "CUFFT", "Curand", "Cusolver", "Cusparse", "NVRTC", "CUPTI", "Nvjpeg"]:
            function, before = f"Get{name}DsoHandle", set(mapped())
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                output = os.dup(1)
                os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
                getattr(phi, f"_ZN3phi7dynload{len(function)}{function}Ev")()
                os.dup2(output, 1)
                print(name, *sorted(set(mapped()) - before), flush=True)
                os._exit(0)
            print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
    "xformers": """
        import xformers
        print(xformers.__version__)
        attempt(lambda: __import__("xformers.ops"))
        """,
    "bitsandbytes": """
        import bitsandbytes
        print(bitsandbytes.__version__)
        """,
    "torchvision": """
        import torchvision
        print(torchvision.__version__)
        """,
    "cudf": """
        import libcudf
        attempt(lambda: libcudf.load_library())
        attempt(lambda: __import__("pylibcudf"))
        attempt(lambda: __import__("cudf"))
        """,
    "pytriton": """
        import pytriton
        print(pytriton.__version__)
        """,
    "numba.cuda": """
        from numba import cuda
        attempt(lambda: cuda.detect())
        attempt(lambda: cuda.is_available())
        attempt(lambda: cuda.cudadrv.libs.test())
        """,
    "nvidia.dali": """
        import nvidia.dali
        print(nvidia.dali.__version__)
        attempt(lambda: __import__("nvidia.dali.fn"))
        """,
    "xgboost": """
        import xgboost
        print(xgboost.build_info()["CUDA_VERSION"])
        """,
    "cuquantum": """
        import cuquantum
        print(cuquantum.__version__)
        for name in ["custatevec", "cutensornet"]:
            attempt(lambda: __import__(f"cuquantum.bindings.{name}"))
        """,
    "transformer_engine": """
        import torch
        attempt(lambda: __import__("transformer_engine"))
        """,
    "warp": """
        import warp
        attempt(lambda: warp.init())
        """,
}

# Frameworks that ask more of the driver when they are imported than a fake has.
WITHOUT_DRIVER = ["paddle"]

PRELUDE = '''
import ctypes, os, re, sys
def attempt(call):
    try:
        # Without addresses, which differ between runs.
        print(re.sub("(handle|at) (0x)?[0-9a-f]+", "", str(call()))[:400])
    except BaseException as error:
        print(f"{type(error).__name__}: {error}")
def mapped():
    lines = open("/proc/self/maps").read().splitlines()
    return sorted({line.split(None, 5)[5] for line in lines if ".so" in line})
'''
