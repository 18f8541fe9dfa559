package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FromEnvironment fills in what the options leave empty, as other programs for
// object stores do: from environment variables, and what these do not say from
// the files of the AWS tools.
//
//	AccessKey, SecretKey, SessionToken  AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN, always together, else
//	                                    the profile AWS_PROFILE ("default") of AWS_SHARED_CREDENTIALS_FILE
//	                                    (~/.aws/credentials)
//	Region                              AWS_REGION, AWS_DEFAULT_REGION, else the profile in AWS_CONFIG_FILE (~/.aws/config)
//	Endpoint                            AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL
//
// getenv is os.Getenv. Keys that are nowhere are no error here; a profile that
// is named and not there is one.
func FromEnvironment(o Options, getenv func(string) string) (Options, error) {
	e := environment{getenv}
	if o.Endpoint == "" {
		o.Endpoint = e.first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	}
	if o.Region == "" {
		o.Region = e.first("AWS_REGION", "AWS_DEFAULT_REGION")
	}
	if o.Region == "" {
		profile, err := e.profile("AWS_CONFIG_FILE", "config")
		if err != nil {
			return o, err
		}
		o.Region = profile["region"]
	}
	return e.keys(o)
}

// keys fills in the three that belong together.
func (e environment) keys(o Options) (Options, error) {
	if o.AccessKey != "" || o.SecretKey != "" {
		return o, nil
	}
	if key, secret := e.getenv("AWS_ACCESS_KEY_ID"), e.getenv("AWS_SECRET_ACCESS_KEY"); key != "" && secret != "" {
		o.AccessKey, o.SecretKey, o.SessionToken = key, Secret(secret), Secret(e.getenv("AWS_SESSION_TOKEN"))
		return o, nil
	}
	profile, err := e.profile("AWS_SHARED_CREDENTIALS_FILE", "credentials")
	if err != nil {
		return o, err
	}
	if name := e.getenv("AWS_PROFILE"); profile == nil && name != "" {
		return o, fmt.Errorf("%w: profile %q has no keys", ErrDenied, name)
	}
	o.AccessKey, o.SecretKey = profile["aws_access_key_id"], Secret(profile["aws_secret_access_key"])
	o.SessionToken = Secret(profile["aws_session_token"])
	return o, nil
}

type environment struct{ getenv func(string) string }

func (e environment) first(names ...string) string {
	for _, name := range names {
		if v := e.getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// maxProfiles is the most of a file of profiles that is read.
const maxProfiles = 1 << 20

// profile reads the profile of the environment from a file that a variable
// names, or from the one below the home folder, which need not be there.
func (e environment) profile(variable, file string) (map[string]string, error) {
	path := e.getenv(variable)
	named := path != ""
	if !named {
		home := e.first("HOME", "USERPROFILE")
		if home == "" {
			return nil, nil
		}
		path = filepath.Join(home, ".aws", file)
	}
	info, err := os.Stat(path)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	if info.Size() > maxProfiles {
		return nil, fmt.Errorf("read profiles: %s has %d bytes", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	name := e.getenv("AWS_PROFILE")
	if name == "" {
		name = "default"
	}
	return parseProfile(string(text), name), nil
}

// parseProfile finds a profile: "[name]", in the config file "[profile name]",
// and below it lines "key = value". Lines that begin with # or ; are comments,
// those that begin with a blank belong to a nested value. Not there is nil.
func parseProfile(text, name string) map[string]string {
	var found map[string]string
	inside := false
	for line := range strings.Lines(text) {
		nested := line[0] == ' ' || line[0] == '\t'
		line = strings.TrimSpace(line)
		if section, ok := strings.CutPrefix(line, "["); ok && !nested {
			section, _, _ = strings.Cut(section, "]")
			inside = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(section), "profile ")) == name
			if inside && found == nil {
				found = map[string]string{}
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !inside || nested || !ok || line[0] == '#' || line[0] == ';' {
			continue
		}
		found[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	return found
}
