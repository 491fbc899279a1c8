{{- define "umbra.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "umbra.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/* What selects the agent's pods; cannot change in an upgrade. */}}
{{- define "umbra.selector" -}}
app.kubernetes.io/name: umbra
{{- end -}}

{{- define "umbra.labels" -}}
{{ include "umbra.selector" . }}
app.kubernetes.io/part-of: umbra
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What all containers have in common. */}}
{{- define "umbra.container" -}}
image: {{ include "umbra.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
command: [/usr/bin/umbra]
{{- end -}}

{{/* The security context of a container without any privilege; its argument is the uid. */}}
{{- define "umbra.unprivileged" -}}
runAsUser: {{ . }}
runAsGroup: {{ . }}
runAsNonRoot: true
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end -}}

{{/* An HTTP probe; its argument is [root, path]. */}}
{{- define "umbra.probe" -}}
{{- $metrics := (index . 0).Values.metrics -}}
httpGet:
  host: {{ if eq $metrics.listen "0.0.0.0" }}127.0.0.1{{ else }}{{ $metrics.listen }}{{ end }}
  port: {{ $metrics.port }}
  path: {{ index . 1 }}
{{- end -}}
