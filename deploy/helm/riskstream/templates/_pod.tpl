{{/*
The pod of every part: one place for what all of them must have. Called with
(dict "root" $ "part" "score" "args" (list …) "values" .Values.score "stage" true); `stage` is for the daemon's stages alone.

  settings   ConfigMap ─► /etc/riskstream, environment above it; secrets ─► files that the environment points to
  models     the image, a claim ─► /models, or a URL ─► cache on an emptyDir
  writable   /tmp and .cache of the working directory, both emptyDirs with a limit; the root is read-only
*/}}

{{- define "riskstream.env" -}}
{{- $values := .root.Values -}}
- name: RISKSTREAM_APP
  value: {{ $values.app | quote }}
- name: RISKSTREAM_KAFKA__BOOTSTRAP_SERVERS
  value: {{ $values.kafka.bootstrapServers | quote }}
- name: RISKSTREAM_KAFKA__SECURITY_PROTOCOL
  value: {{ $values.kafka.securityProtocol }}
{{- if hasPrefix "SASL" $values.kafka.securityProtocol }}
- name: RISKSTREAM_KAFKA__SASL_MECHANISM
  value: {{ $values.kafka.sasl.mechanism }}
- name: RISKSTREAM_KAFKA__SASL_USERNAME
  value: {{ required "kafka.sasl.username is needed where kafka.securityProtocol begins with SASL" $values.kafka.sasl.username | quote }}
- name: RISKSTREAM_KAFKA__SASL_PASSWORD_FILE
  value: /etc/riskstream-secrets/kafka/password
{{- end }}
{{- if $values.kafka.caSecret.name }}
- name: RISKSTREAM_KAFKA__SSL_CAFILE
  value: /etc/riskstream-secrets/ca/ca.crt
{{- end }}
{{- if include "riskstream.mounted" (dict "root" .root "file" "rules") }}
- name: RISKSTREAM_WATCH__RULES
  value: /etc/riskstream/rules.toml
{{- end }}
{{- if include "riskstream.mounted" (dict "root" .root "file" "watchlist") }}
- name: RISKSTREAM_WATCH__WATCHLIST
  value: /etc/riskstream/watchlist.csv
{{- end }}
- name: RISKSTREAM_TOPICS__PARTITIONS
  value: {{ $values.watch.partitions | quote }}
- name: RISKSTREAM_STAGES__GRACE_MS
  # 5 s less than the pod is given: 3 for preStop, the rest to leave with a line in the log.
  value: {{ mul 1000 (sub (int $values.terminationGraceSeconds) 5) | quote }}
- name: RISKSTREAM_MODELS__NAME
  value: {{ $values.registry.model | quote }}
- name: RISKSTREAM_MODELS__POLL_S
  value: {{ $values.registry.pollSeconds | quote }}
- name: RISKSTREAM_MODELS__CACHE
  value: /srv/riskstream/.cache/models
{{- if $values.registry.claim }}
- name: RISKSTREAM_MODELS__ROOT
  value: /models
{{- else if $values.registry.url }}
- name: RISKSTREAM_MODELS__ROOT
  value: {{ $values.registry.url | quote }}
{{- end }}
{{- if $values.registry.signersConfigMap.name }}
- name: RISKSTREAM_MODELS__SIGNERS_FILE
  value: /etc/riskstream-signers/signers.pem
{{- end }}
{{- if eq .part "score" }}
{{- if $values.score.gpu.enabled }}
- name: RISKSTREAM_MODELS__DEVICE
  value: cuda
- name: RISKSTREAM_MODELS__DTYPE
  value: {{ $values.score.gpu.dtype }}
{{- else }}
- name: RISKSTREAM_MODELS__DEVICE
  value: cpu
# A process sees all cores of its node, whatever its share is; so it is told.
- name: RISKSTREAM_MODELS__THREADS
  valueFrom: {resourceFieldRef: {containerName: riskstream, resource: requests.cpu, divisor: "1"}}
{{- end }}
{{- end }}
{{- if and (eq .part "trainer") (or $values.trainer.fit $values.config.existingConfigMap) }}
- name: RISKSTREAM_TRAINER__CONFIG
  value: /etc/riskstream/fit.toml
{{- end }}
{{- if .stage }}
- name: RISKSTREAM_HTTP__HOST
  value: 0.0.0.0
- name: RISKSTREAM_HTTP__PORT
  value: {{ $values.http.port | quote }}
- name: RISKSTREAM_HTTP__REQUESTS_PER_S_MAX
  value: {{ $values.http.requestsPerSecondMax | quote }}
{{- if $values.http.open }}
- name: RISKSTREAM_HTTP__OPEN
  value: "true"
{{- end }}
{{- if $values.http.tokenSecret.name }}
- name: RISKSTREAM_HTTP__TOKEN_FILE
  value: /etc/riskstream-secrets/http/token
{{- end }}
{{- end }}
{{- if and .stage $values.tracing.endpoint }}
- name: RISKSTREAM_TRACING__ENDPOINT
  value: {{ $values.tracing.endpoint | quote }}
- name: RISKSTREAM_TRACING__SAMPLE_RATIO
  value: {{ $values.tracing.sampleRatio | quote }}
{{- if $values.tracing.headersSecret.name }}
- name: RISKSTREAM_TRACING__HEADERS_FILE
  value: /etc/riskstream-secrets/tracing/headers
{{- end }}
{{- end }}
- name: RISKSTREAM_LOG__FORMAT
  value: json
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "riskstream.volumes" -}}
{{- $values := .root.Values -}}
- name: tmp
  emptyDir: {sizeLimit: 512Mi}
- name: cache
  emptyDir: {sizeLimit: {{ $values.registry.cacheSize }}}
{{- with default (include "riskstream.configMap" .root) .configMap }}
- name: config
  configMap: {name: {{ . }}}
{{- end }}
{{- if and $values.registry.claim (ne .part "topics") }}
- name: models
  persistentVolumeClaim: {claimName: {{ $values.registry.claim }}, readOnly: {{ ne .part "trainer" }}}
{{- end }}
{{- with $values.registry.signersConfigMap }}
{{- if .name }}
- name: signers
  configMap: {name: {{ .name }}, items: [{key: {{ .key }}, path: signers.pem}]}
{{- end }}
{{- end }}
{{- if hasPrefix "SASL" $values.kafka.securityProtocol }}
- name: kafka
  secret:
    secretName: {{ required "kafka.sasl.passwordSecret.name is needed where kafka.securityProtocol begins with SASL" $values.kafka.sasl.passwordSecret.name }}
    items: [{key: {{ $values.kafka.sasl.passwordSecret.key }}, path: password}]
{{- end }}
{{- if $values.kafka.caSecret.name }}
- name: ca
  secret: {secretName: {{ $values.kafka.caSecret.name }}, items: [{key: {{ $values.kafka.caSecret.key }}, path: ca.crt}]}
{{- end }}
{{- if and .stage $values.http.tokenSecret.name }}
- name: http
  secret: {secretName: {{ $values.http.tokenSecret.name }}, items: [{key: {{ $values.http.tokenSecret.key }}, path: token}]}
{{- end }}
{{- if and .stage $values.tracing.headersSecret.name }}
- name: tracing
  secret: {secretName: {{ $values.tracing.headersSecret.name }}, items: [{key: {{ $values.tracing.headersSecret.key }}, path: headers}]}
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "riskstream.mounts" -}}
{{- $values := .root.Values -}}
- {name: tmp, mountPath: /tmp}
- {name: cache, mountPath: /srv/riskstream/.cache}
{{- if default (include "riskstream.configMap" .root) .configMap }}
- {name: config, mountPath: /etc/riskstream, readOnly: true}
{{- end }}
{{- if and $values.registry.claim (ne .part "topics") }}
- {name: models, mountPath: /models, readOnly: {{ ne .part "trainer" }}}
{{- end }}
{{- if $values.registry.signersConfigMap.name }}
- {name: signers, mountPath: /etc/riskstream-signers, readOnly: true}
{{- end }}
{{- if hasPrefix "SASL" $values.kafka.securityProtocol }}
- {name: kafka, mountPath: /etc/riskstream-secrets/kafka, readOnly: true}
{{- end }}
{{- if $values.kafka.caSecret.name }}
- {name: ca, mountPath: /etc/riskstream-secrets/ca, readOnly: true}
{{- end }}
{{- if and .stage $values.http.tokenSecret.name }}
- {name: http, mountPath: /etc/riskstream-secrets/http, readOnly: true}
{{- end }}
{{- if and .stage $values.tracing.headersSecret.name }}
- {name: tracing, mountPath: /etc/riskstream-secrets/tracing, readOnly: true}
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every container has; probes and ports are the stages' alone. */}}
{{- define "riskstream.container" -}}
{{- $values := .root.Values -}}
name: riskstream
image: {{ include "riskstream.image" . | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args:
  {{- range .args }}
  - {{ . | quote }}
  {{- end }}
  {{- if include "riskstream.mounted" (dict "root" .root "file" "settings") }}
  - --config
  - /etc/riskstream/riskstream.toml
  {{- end }}
env:
  {{- include "riskstream.env" . | nindent 2 }}
{{- if ne .part "topics" }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
resources:
  {{- toYaml .resources | nindent 2 }}
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
volumeMounts:
  {{- include "riskstream.mounts" . | nindent 2 }}
{{- end -}}

{{/* What every pod has beside its containers. */}}
{{- define "riskstream.pod" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ .serviceAccount | default (include "riskstream.serviceAccount" .root) }}
automountServiceAccountToken: false
# A Service of this name would put RISKSTREAM_… variables of its own into the environment.
enableServiceLinks: false
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- include "riskstream.volumes" . | nindent 2 }}
{{- end -}}
