//! cudaError_t: what functions of the CUDA runtime return. Without a sentence, the number means what the
//! driver's number means.

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
        "The kernel's grid, block or shared memory is larger than the GPU allows, or zero.";
    10 cudaErrorVersionTranslation
        "The driver is newer than the runtime and told of a graph what the runtime cannot read.";
    12 cudaErrorInvalidPitchValue "The pitch of the copy is not valid.";
    13 cudaErrorInvalidSymbol "No device variable or function has this name.";
    16 cudaErrorInvalidHostPointer "A host pointer is not valid; no current release returns this.";
    17 cudaErrorInvalidDevicePointer "A device pointer is not valid; no current release returns this.";
    18 cudaErrorInvalidTexture "The texture is not valid.";
    19 cudaErrorInvalidTextureBinding "The texture is not bound, or not in a valid way.";
    20 cudaErrorInvalidChannelDescriptor "The channel format is not valid.";
    21 cudaErrorInvalidMemcpyDirection "The direction of a copy does not fit its addresses.";
    22 cudaErrorAddressOfConstant
        "The address of a constant was taken where it cannot be; no current release returns this.";
    23 cudaErrorTextureFetchFailed "A texture could not be read; no current release returns this.";
    24 cudaErrorTextureNotBound "A texture is not bound; no current release returns this.";
    25 cudaErrorSynchronizationError "Synchronising failed; no current release returns this.";
    26 cudaErrorInvalidFilterSetting "A texture that is not of floats cannot be filtered linearly.";
    27 cudaErrorInvalidNormSetting "A texture of this kind cannot be read as normalised floats.";
    28 cudaErrorMixedDeviceExecution
        "Code for the device and for its emulation were mixed; no current release returns this.";
    31 cudaErrorNotYetImplemented "The call does not exist yet; no current release returns this.";
    32 cudaErrorMemoryValueTooLarge
        "A device pointer is wider than 32 bits can hold; no current release returns this.";
    34 cudaErrorStubLibrary;
    35 cudaErrorInsufficientDriver
        "The driver is older than this runtime needs, or no driver library is in the container at all.";
    36 cudaErrorCallRequiresNewerDriver;
    37 cudaErrorInvalidSurface "The surface is not valid.";
    43 cudaErrorDuplicateVariableName "Two global variables have the same name.";
    44 cudaErrorDuplicateTextureName "Two textures have the same name.";
    45 cudaErrorDuplicateSurfaceName "Two surfaces have the same name.";
    46 cudaErrorDevicesUnavailable;
    49 cudaErrorIncompatibleDriverContext
        "The current driver context is not the primary one, of another version, or destroyed.";
    52 cudaErrorMissingConfiguration "A kernel was started without a configuration.";
    53 cudaErrorPriorLaunchFailure "An earlier kernel failed; no current release returns this.";
    65 cudaErrorLaunchMaxDepthExceeded "Kernels start kernels deeper than is allowed.";
    66 cudaErrorLaunchFileScopedTex "A kernel that kernels start uses a texture of file scope.";
    67 cudaErrorLaunchFileScopedSurf "A kernel that kernels start uses a surface of file scope.";
    68 cudaErrorSyncDepthExceeded "Kernels wait for kernels deeper than was reserved for.";
    69 cudaErrorLaunchPendingCountExceeded
        "More kernels wait to be started by kernels than was reserved for.";
    98 cudaErrorInvalidDeviceFunction
        "The function is no kernel of this GPU: it was not compiled for it, or is of another module.";
    100 cudaErrorNoDevice;
    101 cudaErrorInvalidDevice;
    102 cudaErrorDeviceNotLicensed;
    103 cudaErrorSoftwareValidityNotEstablished
        "A self-test of the runtime or the driver failed, so that neither can be trusted.";
    127 cudaErrorStartupFailure "The runtime failed inside itself while it started.";
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
    216 cudaErrorDeviceAlreadyInUse "The GPU is in use by another thread or context that does not share it.";
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
    708 cudaErrorSetOnActiveProcess "The process has used the GPU already, too late for this setting.";
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
        "Numbers from here on were once the driver's own; no current release returns them.";
}
