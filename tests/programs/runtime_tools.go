// SPDX-License-Identifier: LGPL-2.1-or-later

// What opencontainers/runtime-tools has to say about nook-oci:
//
//	check BUNDLE      each check of its validator: "CheckRoot ok", or what is wrong
//	schema NAME FILE  whether a file has the form of a schema of runtime-spec
//	generate DIR      bundles by its generator, one for each case below: DIR/NAME/config.json, and DIR/NAME/want
//	read PID PATH     each reader of limits: "GetCPUData ok", or why not
//	limits PID PATH   the limits of a process, as its cgroup reader (v1) sees them
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/cgroups"
	"github.com/opencontainers/runtime-tools/generate"
	"github.com/opencontainers/runtime-tools/validate"
	"github.com/xeipuuv/gojsonschema"
)

const schemas = "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/"

type generator = generate.Generator

var shared = map[string]string{"network": "net", "ipc": "ipc", "uts": "uts"}

const compareNamespaces = "for i in net ipc uts pid mnt; do test $(readlink /proc/self/ns/$i) = $(cat /mnt/$i) && echo same || echo own; done"

// A configuration, a shell script that runs in it, and what the script has to print.
var cases = []struct {
	name      string
	configure func(g *generator)
	script    string
	want      string
}{
	{"default", func(g *generator) {},
		"hostname; id -u; pwd; grep Seccomp: /proc/self/status; ls /proc | grep -c '^[0-9]'",
		"mrsdalloway\n0\n/\nSeccomp:\t2\n3\n"},
	{"process", func(g *generator) {
		g.SetProcessUID(1000)
		g.SetProcessGID(100)
		g.AddProcessAdditionalGid(2000)
		g.SetProcessCwd("/tmp")
		g.AddProcessEnv("WORD", "x")
		g.SetProcessUmask(0o27)
		g.SetProcessOOMScoreAdj(500)
		g.SetProcessNoNewPrivileges(true)
	}, "id -u; id -G; pwd; echo $WORD; umask; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status",
		"1000\n100 2000\n/tmp\nx\n0027\n500\nNoNewPrivs:\t1\n"},
	{"rlimits", func(g *generator) {
		g.ClearProcessRlimits()
		g.AddProcessRlimits("RLIMIT_NOFILE", 200, 100)
		g.AddProcessRlimits("RLIMIT_CORE", 0, 0)
	}, "ulimit -Sn; ulimit -Hn; ulimit -c", "100\n200\n0\n"},
	{"capabilities", func(g *generator) {
		g.ClearProcessCapabilities()
		check(g.AddProcessCapabilityBounding("CAP_CHOWN"))
		check(g.AddProcessCapabilityBounding("CAP_KILL"))
		check(g.AddProcessCapabilityPermitted("CAP_KILL"))
		check(g.AddProcessCapabilityInheritable("CAP_KILL"))
		check(g.AddProcessCapabilityAmbient("CAP_KILL"))
	}, "grep Cap /proc/self/status | cut -f 2", "0000000000000020\n0000000000000021\n0000000000000021\n0000000000000021\n0000000000000020\n"},
	{"root_readonly", func(g *generator) { g.SetRootReadonly(true) },
		"touch /x 2>/dev/null || echo read-only", "read-only\n"},
	{"masked_and_readonly_paths", func(g *generator) {
		g.AddLinuxMaskedPaths("/etc/passwd")
		g.AddLinuxMaskedPaths("/home")
		g.AddLinuxReadonlyPaths("/tmp")
	}, "wc -c </etc/passwd; ls -A /home | wc -l; touch /tmp/x 2>/dev/null || echo read-only", "0\n0\nread-only\n"},
	{"mounts", func(g *generator) {
		g.AddMount(specs.Mount{Destination: "/mnt/a", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m", "mode=700", "nosuid"}})
		g.AddMount(specs.Mount{Destination: "/mnt/b", Source: "/etc", Options: []string{"rbind", "ro"}})
	}, "stat -c %a /mnt/a; grep -c ' /mnt/a tmpfs .*nosuid.*size=1024k' /proc/mounts; test -s /mnt/b/group && echo bound;" +
		"touch /mnt/b/x 2>/dev/null || echo read-only", "700\n1\nbound\nread-only\n"},
	{"devices", func(g *generator) {
		mode := os.FileMode(0o640)
		id := uint32(7)
		g.AddDevice(specs.LinuxDevice{Path: "/dev/brim", Type: "c", Major: 1, Minor: 7, FileMode: &mode, UID: &id, GID: &id})
		g.AddLinuxResourcesDevice(true, "c", number(1), number(7), "r")
	}, "stat -c '%F %a %u %g %t,%T' /dev/brim; head -c 1 /dev/brim | wc -c; echo x 2>/dev/null >/dev/brim || echo refused",
		"character special file 640 7 7 1,7\n1\nrefused\n"},
	{"default_devices", func(g *generator) {},
		"for i in null zero full random urandom tty ptmx; do test -c /dev/$i || echo no $i; done;" +
			"for i in fd stdin stdout stderr; do readlink /dev/$i; done",
		"/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n"},
	{"sysctl", func(g *generator) {
		g.AddLinuxSysctl("net.ipv4.ip_forward", "1")
		g.AddLinuxSysctl("kernel.msgmax", "4000")
	}, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax", "1\n4000\n"},
	{"user_namespace", func(g *generator) {
		check(g.AddOrReplaceLinuxNamespace("user", ""))
		g.AddLinuxUIDMapping(100000, 0, 2000)
		g.AddLinuxGIDMapping(200000, 0, 2000)
		g.SetProcessUID(1000)
	}, "id -u; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '", "1000\n 0 100000 2000\n 0 200000 2000\n"},
	{"without_namespaces", func(g *generator) {
		g.RemoveHostname()
		for kind := range shared {
			check(g.RemoveLinuxNamespace(kind))
		}
		g.AddMount(callersNamespaces())
	}, compareNamespaces, "same\nsame\nsame\nown\nown\n"},
	{"joined_namespaces", func(g *generator) {
		g.RemoveHostname()
		for kind, file := range shared {
			check(g.AddOrReplaceLinuxNamespace(kind, fmt.Sprintf("/proc/%d/ns/%s", os.Getppid(), file)))
		}
		g.AddMount(callersNamespaces())
	}, compareNamespaces, "same\nsame\nsame\nown\nown\n"},
	{"seccomp", func(g *generator) {
		check(g.SetDefaultSeccompActionForce("allow"))
		g.Config.Linux.Seccomp.Syscalls = []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno}}
	}, "mkdir /tmp/x 2>&1; true", "mkdir: can't create directory '/tmp/x': Operation not permitted\n"},
	{"root_propagation", func(g *generator) {
		check(g.SetLinuxRootPropagation("slave"))
	}, "echo started", "started\n"},
	{"hooks", func(g *generator) {
		g.AddPreStartHook(logHook("prestart"))
		g.AddPostStartHook(logHook("poststart"))
		g.AddPostStopHook(logHook("poststop"))
	}, "echo started", "started\n"},
	{"annotations", func(g *generator) { g.AddAnnotation("com.example.key", "value") }, "echo started", "started\n"},
	{"limits", func(g *generator) {
		g.SetLinuxResourcesMemoryLimit(64 << 20)
		g.SetLinuxResourcesMemoryReservation(32 << 20)
		g.SetLinuxResourcesMemorySwap(128 << 20)
		g.SetLinuxResourcesMemorySwappiness(50)
		g.SetLinuxResourcesCPUShares(512)
		g.SetLinuxResourcesCPUQuota(50000)
		g.SetLinuxResourcesCPUPeriod(100000)
		g.SetLinuxResourcesCPUCpus("0")
		g.SetLinuxResourcesCPUMems("0")
		g.SetLinuxResourcesPidsLimit(50)
	}, "echo started; read line", "started\n"},
}

// A bind of files that name the namespaces of this program, which are its caller's.
func callersNamespaces() specs.Mount {
	dir := filepath.Join(os.Args[2], "ns")
	check(os.MkdirAll(dir, 0o755))
	for _, name := range []string{"net", "ipc", "uts", "pid", "mnt"} {
		link, err := os.Readlink("/proc/self/ns/" + name)
		check(err)
		check(os.WriteFile(filepath.Join(dir, name), []byte(link), 0o644))
	}
	return specs.Mount{Destination: "/mnt", Source: dir, Options: []string{"bind"}}
}

// A hook that appends a word and the status that it is told to hooks.log.
func logHook(word string) specs.Hook {
	script := "echo " + word + ` $(grep -o '"status": *"[a-z]*"' | cut -d : -f 2) >>` + filepath.Join(os.Args[2], "hooks.log")
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

func number(n int64) *int64 { return &n }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generateAll(dir string) {
	for _, c := range cases {
		g, err := generate.New("linux")
		check(err)
		g.SetProcessArgs([]string{"/bin/sh", "-c", c.script})
		c.configure(&g)
		place := filepath.Join(dir, c.name)
		check(os.MkdirAll(place, 0o755))
		check(g.SaveToFile(filepath.Join(place, "config.json"), generate.ExportOptions{}))
		check(os.WriteFile(filepath.Join(place, "want"), []byte(c.want), 0o644))
	}
}

func checkBundle(bundle string) {
	v, err := validate.NewValidatorFromPath(bundle, true, "linux")
	check(err)
	for _, name := range []string{"CheckJSONSchema", "CheckPlatform", "CheckRoot", "CheckMandatoryFields", "CheckSemVer", "CheckMounts", "CheckProcess",
		"CheckLinux", "CheckLinuxResources", "CheckAnnotations", "CheckHooks", "CheckCapabilities", "CheckRlimits"} {
		said, _ := reflect.ValueOf(&v).MethodByName(name).Call(nil)[0].Interface().(error)
		tell(name, said)
	}
}

func tell(name string, said error) {
	if list, is := said.(*multierror.Error); is {
		said = list.ErrorOrNil() // some checks answer a list of nothing
	}
	word := "ok"
	if said != nil {
		word = strings.Join(strings.Fields(said.Error()), " ")
	}
	fmt.Println(name, word)
}

// Every reader that there is.
func readAll(pid int, path string) {
	reader, err := cgroups.FindCgroup()
	check(err)
	methods := reflect.ValueOf(reader)
	for i := 0; i < methods.NumMethod(); i++ {
		results := methods.Method(i).Call([]reflect.Value{reflect.ValueOf(pid), reflect.ValueOf(path)})
		said, _ := results[1].Interface().(error)
		tell(methods.Type().Method(i).Name, said)
	}
}

func checkSchema(name, file string) {
	data, err := os.ReadFile(file)
	check(err)
	result, err := gojsonschema.Validate(gojsonschema.NewReferenceLoader("file://"+schemas+name), gojsonschema.NewBytesLoader(data))
	check(err)
	for _, wrong := range result.Errors() {
		fmt.Println(wrong)
	}
	if !result.Valid() {
		os.Exit(1)
	}
}

func showLimits(pid int, path string) {
	reader, err := cgroups.FindCgroup()
	check(err)
	var found specs.LinuxResources
	found.Memory, err = reader.GetMemoryData(pid, path)
	check(err)
	found.CPU, err = reader.GetCPUData(pid, path)
	check(err)
	found.Pids, err = reader.GetPidsData(pid, path)
	check(err)
	found.Devices, err = reader.GetDevicesData(pid, path)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(found))
}

func main() {
	switch os.Args[1] {
	case "check":
		checkBundle(os.Args[2])
	case "schema":
		checkSchema(os.Args[2], os.Args[3])
	case "generate":
		generateAll(os.Args[2])
	case "limits":
		pid, err := strconv.Atoi(os.Args[2])
		check(err)
		showLimits(pid, os.Args[3])
	case "read":
		pid, err := strconv.Atoi(os.Args[2])
		check(err)
		readAll(pid, os.Args[3])
	}
}
