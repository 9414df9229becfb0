//! cudaError_t: error codes of the CUDA runtime. A code without a sentence has the meaning of the driver's code with
//! the same number.

table! {
    0 cudaSuccess;
    1 cudaErrorInvalidValue;
    2 cudaErrorMemoryAllocation;
    3 cudaErrorInitializationError;
    4 cudaErrorCudartUnloading "The runtime is being unloaded, usually because the process ends.";
    5 cudaErrorProfilerDisabled;
    6 cudaErrorProfilerNotInitialized;
    7 cudaErrorProfilerAlreadyStarted;
    8 cudaErrorProfilerAlreadyStopped;
    9 cudaErrorInvalidConfiguration
        "The grid, block or shared memory of the kernel is zero, or larger than the GPU supports.";
    10 cudaErrorVersionTranslation
        "The driver is newer than the runtime, and returned graph data that the runtime cannot read.";
    12 cudaErrorInvalidPitchValue "The pitch of the copy is not valid.";
    13 cudaErrorInvalidSymbol "No device variable or function has this name.";
    16 cudaErrorInvalidHostPointer "A host pointer is not valid; no current release returns this.";
    17 cudaErrorInvalidDevicePointer "A device pointer is not valid; no current release returns this.";
    18 cudaErrorInvalidTexture "The texture is not valid.";
    19 cudaErrorInvalidTextureBinding "The texture binding is not valid.";
    20 cudaErrorInvalidChannelDescriptor "The channel format is not valid.";
    21 cudaErrorInvalidMemcpyDirection "The direction of a copy does not match its addresses.";
    22 cudaErrorAddressOfConstant
        "The address of a constant was taken where that is not allowed; no current release returns this.";
    23 cudaErrorTextureFetchFailed "A texture could not be read; no current release returns this.";
    24 cudaErrorTextureNotBound "A texture is not bound; no current release returns this.";
    25 cudaErrorSynchronizationError "Synchronization failed; no current release returns this.";
    26 cudaErrorInvalidFilterSetting "A texture that is not of floats cannot be filtered linearly.";
    27 cudaErrorInvalidNormSetting "A texture of this type cannot be read as normalized floats.";
    28 cudaErrorMixedDeviceExecution
        "Device code and emulated code were mixed; no current release returns this.";
    31 cudaErrorNotYetImplemented "The call does not exist yet; no current release returns this.";
    32 cudaErrorMemoryValueTooLarge "A device pointer exceeds 32 bits; no current release returns this.";
    34 cudaErrorStubLibrary;
    35 cudaErrorInsufficientDriver
        "The driver is too old for this runtime, or the container has no driver library.";
    36 cudaErrorCallRequiresNewerDriver;
    37 cudaErrorInvalidSurface "The surface is not valid.";
    43 cudaErrorDuplicateVariableName "Two global variables have the same name.";
    44 cudaErrorDuplicateTextureName "Two textures have the same name.";
    45 cudaErrorDuplicateSurfaceName "Two surfaces have the same name.";
    46 cudaErrorDevicesUnavailable;
    49 cudaErrorIncompatibleDriverContext
        "The current driver context is not the primary one, has another version, or was destroyed.";
    52 cudaErrorMissingConfiguration "A kernel was launched without a configuration.";
    53 cudaErrorPriorLaunchFailure "An earlier kernel failed; no current release returns this.";
    65 cudaErrorLaunchMaxDepthExceeded "Kernels launch kernels more deeply nested than allowed.";
    66 cudaErrorLaunchFileScopedTex "A kernel launched by a kernel uses a file-scoped texture.";
    67 cudaErrorLaunchFileScopedSurf "A kernel launched by a kernel uses a file-scoped surface.";
    68 cudaErrorSyncDepthExceeded "Kernels wait for kernels more deeply nested than the limit that was set.";
    69 cudaErrorLaunchPendingCountExceeded
        "More launches by kernels are pending than the limit that was set.";
    98 cudaErrorInvalidDeviceFunction
        "The function is not a kernel for this GPU: it was not compiled for it, or belongs to another module.";
    100 cudaErrorNoDevice;
    101 cudaErrorInvalidDevice;
    102 cudaErrorDeviceNotLicensed;
    103 cudaErrorSoftwareValidityNotEstablished "A self-test of the runtime or the driver failed.";
    127 cudaErrorStartupFailure "The runtime failed internally while it started.";
    200 cudaErrorInvalidKernelImage;
    201 cudaErrorDeviceUninitialized;
    205 cudaErrorMapBufferObjectFailed;
    206 cudaErrorUnmapBufferObjectFailed;
    207 cudaErrorArrayIsMapped;
    208 cudaErrorAlreadyMapped;
    209 cudaErrorNoKernelImageForDevice;
    210 cudaErrorAlreadyAcquired;
    211 cudaErrorNotMapped;
    212 cudaErrorNotMappedAsArray;
    213 cudaErrorNotMappedAsPointer;
    214 cudaErrorECCUncorrectable;
    215 cudaErrorUnsupportedLimit;
    216 cudaErrorDeviceAlreadyInUse "The GPU is in use by another thread or context.";
    217 cudaErrorPeerAccessUnsupported;
    218 cudaErrorInvalidPtx;
    219 cudaErrorInvalidGraphicsContext;
    220 cudaErrorNvlinkUncorrectable;
    221 cudaErrorJitCompilerNotFound;
    222 cudaErrorUnsupportedPtxVersion;
    223 cudaErrorJitCompilationDisabled;
    224 cudaErrorUnsupportedExecAffinity;
    225 cudaErrorUnsupportedDevSideSync;
    226 cudaErrorContained;
    227 cudaErrorInsufficientLoaderVersion;
    300 cudaErrorInvalidSource;
    301 cudaErrorFileNotFound;
    302 cudaErrorSharedObjectSymbolNotFound;
    303 cudaErrorSharedObjectInitFailed;
    304 cudaErrorOperatingSystem;
    400 cudaErrorInvalidResourceHandle;
    401 cudaErrorIllegalState;
    402 cudaErrorLossyQuery;
    500 cudaErrorSymbolNotFound;
    600 cudaErrorNotReady;
    700 cudaErrorIllegalAddress;
    701 cudaErrorLaunchOutOfResources;
    702 cudaErrorLaunchTimeout;
    703 cudaErrorLaunchIncompatibleTexturing;
    704 cudaErrorPeerAccessAlreadyEnabled;
    705 cudaErrorPeerAccessNotEnabled;
    708 cudaErrorSetOnActiveProcess
        "The process has already used the GPU, so it is too late for this setting.";
    709 cudaErrorContextIsDestroyed;
    710 cudaErrorAssert;
    711 cudaErrorTooManyPeers;
    712 cudaErrorHostMemoryAlreadyRegistered;
    713 cudaErrorHostMemoryNotRegistered;
    714 cudaErrorHardwareStackError;
    715 cudaErrorIllegalInstruction;
    716 cudaErrorMisalignedAddress;
    717 cudaErrorInvalidAddressSpace;
    718 cudaErrorInvalidPc;
    719 cudaErrorLaunchFailure;
    720 cudaErrorCooperativeLaunchTooLarge;
    721 cudaErrorTensorMemoryLeak;
    800 cudaErrorNotPermitted;
    801 cudaErrorNotSupported;
    802 cudaErrorSystemNotReady;
    803 cudaErrorSystemDriverMismatch;
    804 cudaErrorCompatNotSupportedOnDevice;
    805 cudaErrorMpsConnectionFailed;
    806 cudaErrorMpsRpcFailure;
    807 cudaErrorMpsServerNotReady;
    808 cudaErrorMpsMaxClientsReached;
    809 cudaErrorMpsMaxConnectionsReached;
    810 cudaErrorMpsClientTerminated;
    811 cudaErrorCdpNotSupported;
    812 cudaErrorCdpVersionMismatch;
    900 cudaErrorStreamCaptureUnsupported;
    901 cudaErrorStreamCaptureInvalidated;
    902 cudaErrorStreamCaptureMerge;
    903 cudaErrorStreamCaptureUnmatched;
    904 cudaErrorStreamCaptureUnjoined;
    905 cudaErrorStreamCaptureIsolation;
    906 cudaErrorStreamCaptureImplicit;
    907 cudaErrorCapturedEvent;
    908 cudaErrorStreamCaptureWrongThread;
    909 cudaErrorTimeout;
    910 cudaErrorGraphExecUpdateFailure;
    911 cudaErrorExternalDevice;
    912 cudaErrorInvalidClusterSize;
    913 cudaErrorFunctionNotLoaded;
    914 cudaErrorInvalidResourceType;
    915 cudaErrorInvalidResourceConfiguration;
    917 cudaErrorStreamDetached;
    918 cudaErrorGraphRecaptureFailure;
    919 cudaErrorFabricNotReady;
    999 cudaErrorUnknown;
    10000 cudaErrorApiFailureBase
        "Numbers from here on stood for driver errors; no current release returns them.";
}
