/* Makes the driver calls of `cudacheck health` from a plain C program: the lower bound for the benchmark. It checks
 * and prints nothing. All results go into one buffer, which is larger than any of them.
 *
 *     cc -O2 -o bare bare.c -ldl && ./bare nvml|driver
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned char buffer[65536];

static void *find(void *library, const char *name)
{
    return library ? dlsym(library, name) : NULL;
}

/* Functions of the form f(device, result). */
static const char *const QUESTIONS[] = {
    "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetComputeMode", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPersistenceMode",
    "nvmlDeviceGetRetiredPagesPendingStatus", "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetCurrPcieLinkGeneration", "nvmlDeviceGetMaxPcieLinkGeneration", "nvmlDeviceGetCurrPcieLinkWidth",
    "nvmlDeviceGetMaxPcieLinkWidth", "nvmlDeviceGetPcieReplayCounter", "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetPerformanceState",
};

static void ask_nvml(void)
{
    void *nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    int (*init)(void) = find(nvml, "nvmlInit_v2");
    if (!init || init() != 0)
        return;
    int (*count)(unsigned *) = find(nvml, "nvmlDeviceGetCount_v2");
    int (*handle)(unsigned, void **) = find(nvml, "nvmlDeviceGetHandleByIndex_v2");
    unsigned gpus = 0;
    if (!count || !handle || count(&gpus) != 0)
        return;
    for (unsigned gpu = 0; gpu < gpus; gpu++) {
        void *device = NULL;
        if (handle(gpu, &device) != 0)
            continue;
        for (size_t question = 0; question < sizeof QUESTIONS / sizeof *QUESTIONS; question++) {
            const char *name = QUESTIONS[question];
            void *function = find(nvml, name);
            if (!function)
                continue;
            if (!strcmp(name, "nvmlDeviceGetUUID") || !strcmp(name, "nvmlDeviceGetName"))
                ((int (*)(void *, void *, unsigned))function)(device, buffer, 96);
            else
                ((int (*)(void *, void *))function)(device, buffer);
        }
        int (*ecc)(void *, unsigned *, unsigned *) = find(nvml, "nvmlDeviceGetEccMode");
        int (*mig)(void *, unsigned *, unsigned *) = find(nvml, "nvmlDeviceGetMigMode");
        int (*errors)(void *, unsigned, unsigned, unsigned long long *) = find(nvml, "nvmlDeviceGetTotalEccErrors");
        int (*heat)(void *, unsigned, unsigned *) = find(nvml, "nvmlDeviceGetTemperature");
        int (*link)(void *, unsigned, unsigned *) = find(nvml, "nvmlDeviceGetNvLinkState");
        int (*clock)(void *, unsigned, unsigned *) = find(nvml, "nvmlDeviceGetClockInfo");
        unsigned first, second;
        unsigned long long number;
        if (ecc)
            ecc(device, &first, &second);
        if (mig)
            mig(device, &first, &second);
        for (unsigned kind = 0; errors && kind < 2; kind++)
            errors(device, kind, 0, &number);
        if (heat)
            heat(device, 0, &first);
        if (clock)
            clock(device, 1, &first);
        for (unsigned lane = 0; link && lane < 18; lane++)
            link(device, lane, &first);
    }
}

static void ask_driver(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = find(cuda, "cuInit");
    int (*count)(int *) = find(cuda, "cuDeviceGetCount");
    int (*device)(int *, int) = find(cuda, "cuDeviceGet");
    int (*name)(char *, int, int) = find(cuda, "cuDeviceGetName");
    int (*memory)(size_t *, int) = find(cuda, "cuDeviceTotalMem_v2");
    int (*attribute)(int *, int, int) = find(cuda, "cuDeviceGetAttribute");
    int devices = 0;
    if (!init || !count || !device || init(0) != 0 || count(&devices) != 0)
        return;
    for (int ordinal = 0; ordinal < devices; ordinal++) {
        int handle, value;
        size_t bytes;
        if (device(&handle, ordinal) != 0)
            continue;
        if (name)
            name((char *)buffer, sizeof buffer, handle);
        if (memory)
            memory(&bytes, handle);
        for (int number = 1; attribute && number < 10; number++)
            attribute(&value, number, handle);
    }
}

int main(int argc, char **argv)
{
    const char *const nodes[] = {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0"};
    for (size_t node = 0; node < sizeof nodes / sizeof *nodes; node++) {
        int descriptor = open(nodes[node], O_RDWR | O_CLOEXEC);
        if (descriptor >= 0)
            close(descriptor);
    }
    ask_nvml();
    if (argc > 1 && !strcmp(argv[1], "driver"))
        ask_driver();
    /* Skip the destructors of the driver. */
    fflush(stdout);
    _exit(0);
}
