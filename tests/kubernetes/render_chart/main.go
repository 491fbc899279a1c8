// Renders a Helm chart as `helm template` does, as far as Umbra's chart needs it: values merged from values.yaml and
// -set, the functions of sprig, include, tpl, toYaml and required. A tool for tests where there is no helm.
//
//	render_chart CHART [-name RELEASE] [-namespace NS] [-set a.b=JSON]...
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type values = map[string]interface{}

type settings []string

func (s *settings) String() string     { return strings.Join(*s, " ") }
func (s *settings) Set(v string) error { *s = append(*s, v); return nil }

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "render_chart: %s: %v\n", what, err)
	os.Exit(1)
}

func readYaml(path string) values {
	text, err := os.ReadFile(path)
	if err != nil {
		fail("read chart", err)
	}
	out := values{}
	if err := yaml.Unmarshal(text, &out); err != nil {
		fail(path, err)
	}
	return out
}

// a.b.c=JSON
func set(into values, assignment string) {
	path, text, found := strings.Cut(assignment, "=")
	var value interface{}
	if err := yaml.Unmarshal([]byte(text), &value); !found || err != nil {
		fail("set "+assignment, fmt.Errorf("write PATH=JSON: %v", err))
	}
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := into[part].(values)
		if !ok {
			next = values{}
			into[part] = next
		}
		into = next
	}
	into[parts[len(parts)-1]] = value
}

func toYaml(value interface{}) string {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func toJson(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

func functions(root *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	include := func(name string, data interface{}) (string, error) {
		var out strings.Builder
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	all["include"] = include
	all["toYaml"] = toYaml
	all["toJson"] = toJson
	all["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, fmt.Errorf("%s", message)
		}
		return value, nil
	}
	all["tpl"] = func(text string, data interface{}) (string, error) {
		copied, err := root.Clone()
		if err != nil {
			return "", err
		}
		parsed, err := copied.New("tpl").Parse(text)
		if err != nil {
			return "", err
		}
		var out strings.Builder
		err = parsed.Execute(&out, data)
		return out.String(), err
	}
	return all
}

func data(chart string, release, namespace string, sets settings) values {
	about := readYaml(filepath.Join(chart, "Chart.yaml"))
	named := values{}
	for key, value := range about {
		named[strings.ToUpper(key[:1])+key[1:]] = value
	}
	given := readYaml(filepath.Join(chart, "values.yaml"))
	for _, assignment := range sets {
		set(given, assignment)
	}
	return values{
		"Chart": named, "Values": given,
		"Release":      values{"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": true, "Revision": 1},
		"Capabilities": values{"KubeVersion": values{"Version": "v1.31.0", "Major": "1", "Minor": "31"}},
	}
}

func main() {
	var sets settings
	flags := flag.NewFlagSet("render_chart", flag.ExitOnError)
	release := flags.String("name", "umbra", "name of the release")
	namespace := flags.String("namespace", "umbra-system", "namespace of the release")
	flags.Var(&sets, "set", "PATH=JSON")
	if len(os.Args) < 2 {
		fail("usage", fmt.Errorf("render_chart CHART [-name N] [-namespace N] [-set PATH=JSON]"))
	}
	chart := os.Args[1]
	flags.Parse(os.Args[2:])

	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		fail("list templates", err)
	}
	sort.Strings(files)
	root := template.New("chart").Option("missingkey=zero")
	root.Funcs(functions(root))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			fail("read template", err)
		}
		if _, err := root.New(filepath.Base(file)).Parse(string(text)); err != nil {
			fail("parse", err)
		}
	}
	input := data(chart, *release, *namespace, sets)
	for _, file := range files {
		name := filepath.Base(file)
		var out strings.Builder
		if err := root.ExecuteTemplate(&out, name, input); err != nil {
			fail("render", err)
		}
		if strings.HasPrefix(name, "_") || strings.TrimSpace(out.String()) == "" {
			continue
		}
		if name == "NOTES.txt" {
			fmt.Fprintln(os.Stderr, out.String())
			continue
		}
		fmt.Printf("---\n# Source: %s\n%s\n", name, strings.TrimRight(out.String(), "\n"))
	}
}
