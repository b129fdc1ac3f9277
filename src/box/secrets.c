/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/secrets.h"

#include <stddef.h>

const char *const secrets_system[] = {
	"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh",
	"/etc/ssl/private", "/etc/krb5.keytab", "/etc/wpa_supplicant", "/etc/NetworkManager/system-connections", "/etc/wireguard",
	"/etc/openvpn", "/etc/polkit-1", "/etc/docker", "/etc/kubernetes", "/etc/rancher", NULL,
};

const char *const secrets_home[] = {
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials", ".npmrc", ".pypirc", ".vault-token",
	".password-store", ".mozilla", ".thunderbird", ".pki", ".bash_history", ".zsh_history", ".python_history", ".config/gcloud",
	".config/gh", ".config/op", ".config/rclone", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware",
	".local/share/keyrings", ".cargo/credentials", ".cargo/credentials.toml", ".terraform.d", ".config/containers/auth.json", NULL,
};
