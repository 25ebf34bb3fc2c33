{{/* Names and labels. `part` is a stage, `trainer` or `topics`; helpers that take one get (dict "root" $ "part" "score"). */}}

{{- define "riskstream.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "riskstream.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "riskstream.labels" -}}
{{ include "riskstream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "riskstream.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "riskstream.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The image without torch, or the one with it where a part needs it: scoring on a GPU, and training. */}}
{{- define "riskstream.image" -}}
{{- $torch := or (eq .part "trainer") (and (eq .part "score") .root.Values.score.gpu.enabled) -}}
{{- $tag := default .root.Chart.AppVersion .root.Values.image.tag -}}
{{- printf "%s:%s%s" .root.Values.image.repository $tag (ternary .root.Values.image.cudaSuffix "" $torch) -}}
{{- end -}}

{{/* The ConfigMap with the files of `config`; empty where the files in the image are used. */}}
{{- define "riskstream.configMap" -}}
{{- if .Values.config.existingConfigMap -}}
{{- .Values.config.existingConfigMap -}}
{{- else if or .Values.config.settings .Values.config.rules .Values.config.watchlist .Values.trainer.fit -}}
{{- include "riskstream.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* Whether a file of `config` comes from a ConfigMap: (dict "root" $ "file" "rules"). */}}
{{- define "riskstream.mounted" -}}
{{- if or .root.Values.config.existingConfigMap (get .root.Values.config .file) -}}true{{- end -}}
{{- end -}}

{{- define "riskstream.configData" -}}
{{- with .Values.config.settings }}
riskstream.toml: |
  {{- trim . | nindent 2 }}
{{- end }}
{{- with .Values.config.rules }}
rules.toml: |
  {{- trim . | nindent 2 }}
{{- end }}
{{- with .Values.config.watchlist }}
watchlist.csv: |
  {{- trim . | nindent 2 }}
{{- end }}
{{- with .Values.trainer.fit }}
fit.toml: |
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The most pods that have work: one a partition. (dict "root" $ "part" "score") */}}
{{- define "riskstream.podsMax" -}}
{{- $partitions := int (get .root.Values .part).partitions -}}
{{- $asked := int (get .root.Values.autoscaling .part).max -}}
{{- if gt $asked $partitions -}}
{{- fail (printf "autoscaling.%s.max = %d is more than %s.partitions = %d: a pod beyond one a partition has no work. Lower it, or 0 for as many as there are partitions" .part $asked .part $partitions) -}}
{{- end -}}
{{- ternary $asked $partitions (gt $asked 0) -}}
{{- end -}}
