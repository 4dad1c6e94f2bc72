{{- define "backup.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "backup.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "backup.labels" -}}
{{ include "backup.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "backup.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "backup.fullname" .) -}}
{{- end -}}

{{/* The path prefix of everything that the server answers, without a slash at its end. */}}
{{- define "backup.basePath" -}}
{{- .Values.settings.BACKUP_BASE_PATH | default "" | trimSuffix "/" -}}
{{- end -}}

{{/* A Deployment. Takes root, component, program, values (of the component), port, prefix and noJobs. */}}
{{- define "backup.deployment" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "backup.fullname" $root }}-{{ .component }}
  labels:
    {{- include "backup.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  replicas: {{ .values.replicas }}
  selector:
    matchLabels:
      {{- include "backup.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    metadata:
      annotations:
        # Pods are replaced when a setting changes. A change of the Secret needs: kubectl rollout restart.
        checksum/settings: {{ include (print $root.Template.BasePath "/settings.yaml") $root | sha256sum }}
      labels:
        {{- include "backup.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "backup.serviceAccount" $root }}
      automountServiceAccountToken: false
      # A service called "database" would set DATABASE_PORT=tcp://….
      enableServiceLinks: false
      {{- with $values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml $values.podSecurityContext | nindent 8 }}
      # Running jobs have BACKUP_DRAIN_SECONDS (20) to reach their end.
      terminationGracePeriodSeconds: 60
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "backup.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .component }}
      containers:
        - name: {{ .component }}
          image: "{{ $values.image.repository }}:{{ $values.image.tag | default $root.Chart.AppVersion }}"
          imagePullPolicy: {{ $values.image.pullPolicy }}
          command: [{{ .program }}]
          envFrom:
            - configMapRef:
                name: {{ include "backup.fullname" $root }}
            - secretRef:
                name: {{ $values.secretName }}
          env:
            # Named beside envFrom, so that no pod starts where the Secret lacks it: each would make a catalog of its own in its
            # data folder, and take it along when it goes.
            - name: CATALOG_URL
              valueFrom:
                secretKeyRef:
                  name: {{ $values.secretName }}
                  key: CATALOG_URL
            - name: BACKUP_DATA_DIR
              value: /var/lib/backup
            {{- if .noJobs }}
            # Jobs are the scheduler's.
            - name: BACKUP_WORKERS
              value: "0"
            {{- end }}
          ports:
            - name: http
              containerPort: {{ .port }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          # The first pod of a new version may have to bring the catalog up to date, and the others wait for it.
          startupProbe:
            httpGet: { path: {{ .prefix }}/healthz, port: http }
            periodSeconds: 5
            failureThreshold: 120
          livenessProbe:
            httpGet: { path: {{ .prefix }}/healthz, port: http }
            periodSeconds: 20
            timeoutSeconds: 5
          {{- if .noJobs }}
          # Not /readyz: while the storage is away, people are to see that it is.
          readinessProbe:
            httpGet: { path: {{ .prefix }}/healthz, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
          {{- else }}
          # Catalog and storage answer: a new version that does not reach them replaces no old one.
          readinessProbe:
            httpGet: { path: {{ .prefix }}/readyz, port: http }
            periodSeconds: 15
            timeoutSeconds: 6
          {{- end }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /var/lib/backup
            {{- if not $values.dataClaim }}
            # Backups go here where no storage is named, and would go with the pod: so nothing can be written.
            - name: no-storage
              mountPath: /var/lib/backup/storage
              readOnly: true
            {{- end }}
            - name: tmp
              mountPath: /tmp
            {{- if $values.uploads.claim }}
            - name: uploads
              mountPath: {{ $values.uploads.mountPath }}
              readOnly: {{ $values.uploads.readOnly }}
            {{- end }}
      volumes:
        - name: data
          {{- if $values.dataClaim }}
          persistentVolumeClaim:
            claimName: {{ $values.dataClaim }}
          {{- else }}
          emptyDir: {}
        - name: no-storage
          emptyDir: {}
          {{- end }}
        - name: tmp
          emptyDir: {}
        {{- with $values.uploads.claim }}
        - name: uploads
          persistentVolumeClaim:
            claimName: {{ . }}
            # Of the volume too, not of the mount alone: what may be written is given to fsGroup, with all files in it.
            readOnly: {{ $values.uploads.readOnly }}
        {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
