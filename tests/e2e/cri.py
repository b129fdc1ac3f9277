# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kubelet's side of the Container Runtime Interface (runtime.v1), as far as the tests speak it."""

import json
import os

# Forks of a process with gRPC's threads need none of its state: they exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A message a line: number:name:type, enumerations as numbers, "*" before a type that repeats.
MESSAGES = """
VersionRequest
VersionResponse 2:runtime_name:string
ImageSpec 1:image:string
ImageStatusRequest 1:image:ImageSpec
Image 1:id:string
ImageStatusResponse 1:image:Image
NamespaceOption 1:network:int32 2:pid:int32 3:ipc:int32
Int64Value 1:value:int64
UInt64Value 1:value:uint64
SecurityProfile 1:profile_type:int32 2:localhost_ref:string
LinuxSandboxSecurityContext 1:namespace_options:NamespaceOption 6:privileged:bool 9:seccomp:SecurityProfile
LinuxPodSandboxConfig 1:cgroup_parent:string 2:security_context:LinuxSandboxSecurityContext
PodSandboxMetadata 1:name:string 2:uid:string 3:namespace:string
PodSandboxConfig 1:metadata:PodSandboxMetadata 2:hostname:string 3:log_directory:string 8:linux:LinuxPodSandboxConfig
RunPodSandboxRequest 1:config:PodSandboxConfig 2:runtime_handler:string
RunPodSandboxResponse 1:pod_sandbox_id:string
StopPodSandboxRequest 1:pod_sandbox_id:string
StopPodSandboxResponse
RemovePodSandboxRequest 1:pod_sandbox_id:string
RemovePodSandboxResponse
PodSandboxStatusRequest 1:pod_sandbox_id:string
PodSandboxNetworkStatus 1:ip:string
PodSandboxStatus 3:state:int32 5:network:PodSandboxNetworkStatus 9:runtime_handler:string
PodSandboxStatusResponse 1:status:PodSandboxStatus
ListPodSandboxRequest
PodSandbox 1:id:string
ListPodSandboxResponse 1:items:*PodSandbox
LinuxContainerResources 1:cpu_period:int64 2:cpu_quota:int64 3:cpu_shares:int64 4:memory_limit_in_bytes:int64 6:cpuset_cpus:string
Capability 1:add_capabilities:*string 2:drop_capabilities:*string
LinuxContainerSecurityContext 1:capabilities:Capability 2:privileged:bool 3:namespace_options:NamespaceOption \
 5:run_as_user:Int64Value 7:readonly_rootfs:bool 8:supplemental_groups:*int64 11:no_new_privs:bool 12:run_as_group:Int64Value \
 15:seccomp:SecurityProfile
LinuxContainerConfig 1:resources:LinuxContainerResources 2:security_context:LinuxContainerSecurityContext
ContainerMetadata 1:name:string
KeyValue 1:key:string 2:value:string
Mount 1:container_path:string 2:host_path:string 3:readonly:bool
ContainerConfig 1:metadata:ContainerMetadata 2:image:ImageSpec 3:command:*string 6:envs:*KeyValue 7:mounts:*Mount \
 11:log_path:string 12:stdin:bool 14:tty:bool 15:linux:LinuxContainerConfig
CreateContainerRequest 1:pod_sandbox_id:string 2:config:ContainerConfig 3:sandbox_config:PodSandboxConfig
CreateContainerResponse 1:container_id:string
StartContainerRequest 1:container_id:string
StartContainerResponse
StopContainerRequest 1:container_id:string 2:timeout:int64
StopContainerResponse
RemoveContainerRequest 1:container_id:string
RemoveContainerResponse
ContainerStatusRequest 1:container_id:string
ContainerStatus 3:state:int32 7:exit_code:int32 10:reason:string 11:message:string
ContainerStatusResponse 1:status:ContainerStatus
UpdateContainerResourcesRequest 1:container_id:string 2:linux:LinuxContainerResources
UpdateContainerResourcesResponse
ExecSyncRequest 1:container_id:string 2:cmd:*string 3:timeout:int64
ExecSyncResponse 1:stdout:bytes 2:stderr:bytes 3:exit_code:int32
ExecRequest 1:container_id:string 2:cmd:*string 3:tty:bool 4:stdin:bool 5:stdout:bool 6:stderr:bool
ExecResponse 1:url:string
AttachRequest 1:container_id:string 2:stdin:bool 3:tty:bool 4:stdout:bool 5:stderr:bool
AttachResponse 1:url:string
PortForwardRequest 1:pod_sandbox_id:string 2:port:*int32
PortForwardResponse 1:url:string
ReopenContainerLogRequest 1:container_id:string
ReopenContainerLogResponse
Container 1:id:string 6:state:int32
ListContainersRequest
ListContainersResponse 1:containers:*Container
ContainerStatsRequest 1:container_id:string
CpuUsage 2:usage_core_nano_seconds:UInt64Value
MemoryUsage 2:working_set_bytes:UInt64Value
ContainerAttributes 1:id:string
ContainerStats 1:attributes:ContainerAttributes 2:cpu:CpuUsage 3:memory:MemoryUsage
ContainerStatsResponse 1:stats:ContainerStats
ListContainerStatsRequest
Any 1:type_url:string 2:value:bytes
UpdateTaskRequest 1:container_id:string 2:resources:Any
Empty
ListContainerStatsResponse 1:stats:*ContainerStats
"""

POD, CONTAINER, NODE = range(3)                   # whose namespace
CREATED, RUNNING, EXITED = range(3)               # states of a container
READY = 0                                         # state of a pod
SECONDS = 60


def messages():
    """Classes of the messages, by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="cri.proto", package="runtime.v1", syntax="proto3")
    for line in MESSAGES.replace("\\\n", "").strip().splitlines():
        name, *fields = line.split()
        message = file.message_type.add(name=name)
        for field in fields:
            number, name, kind = field.split(":")
            row = message.field.add(name=name, number=int(number))
            row.label = kinds.LABEL_REPEATED if kind.startswith("*") else kinds.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            if kind[0].isupper():
                row.type, row.type_name = kinds.TYPE_MESSAGE, f".runtime.v1.{kind}"
            else:
                row.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {row.name: factory.GetPrototype(pool.FindMessageTypeByName(f"runtime.v1.{row.name}")) for row in file.message_type}


class Cri:
    """cri("RunPodSandbox", config={...}) answers the response; an error of the runtime is raised as Refused."""

    class Refused(Exception):
        pass

    def __init__(self, socket):
        import grpc

        self.grpc, self.channel, self.messages = grpc, grpc.insecure_channel(f"unix:{socket}"), messages()

    def __call__(self, method, **fields):
        service = "ImageService" if method.startswith("Image") else "RuntimeService"
        call = self.channel.unary_unary(f"/runtime.v1.{service}/{method}",
                                        request_serializer=self.messages[f"{method}Request"].SerializeToString,
                                        response_deserializer=self.messages[f"{method}Response"].FromString)
        try:
            return call(self.messages[f"{method}Request"](**fields), timeout=SECONDS)
        except self.grpc.RpcError as error:
            raise self.Refused(error.details()) from None

    def update_task(self, namespace, name, resources):
        """containerd's own way to change the limits of what runs; ctr has no word for it, dockerd comes by it."""
        call = self.channel.unary_unary("/containerd.services.tasks.v1.Tasks/Update",
                                        request_serializer=self.messages["UpdateTaskRequest"].SerializeToString,
                                        response_deserializer=self.messages["Empty"].FromString)
        kind = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"
        try:
            call(self.messages["UpdateTaskRequest"](container_id=name, resources={"type_url": kind, "value": json.dumps(resources).encode()}),
                 timeout=SECONDS, metadata=[("containerd-namespace", namespace)])
        except self.grpc.RpcError as error:
            raise self.Refused(error.details()) from None

    def close(self):
        self.channel.close()
