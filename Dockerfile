# The service, with its weights and nothing else.
#   docker build --tag likeness .                      builds the programs first, in an image that has Rust
#   podman build --format docker --tag likeness .      Podman's own format ignores ONBUILD and HEALTHCHECK
#   tools/image                                        takes programs that this machine built, in place of that stage
# Arguments:
#   RUST     the image that has Rust and a C compiler
#   MIRRORS  where files can be had that weights.lock's sources can't give, "URL DIR …", no tokens
#   LOCK     the lock file in this folder
#   COMMIT   what `--version` names
# A folder `mirror` here: files that are at hand, by name or by path.
# Tokens are a secret of BuildKit: --secret id=tokens,src=FILE, with words HOST=TOKEN.
ARG RUST=rust:1.95-bookworm

FROM ${RUST} AS programs
ARG COMMIT=unknown
WORKDIR /src
# What the programs are built from; `ballast` knows the weights of this lock file.
COPY Cargo.toml Cargo.lock weights.lock ./
COPY tools tools
COPY crates crates
RUN BUILD_COMMIT=$COMMIT tools/static entrypoint full likeness
ARG LOCK=weights.lock
COPY . /context
RUN cd /context && LOCK=$LOCK tools/image-files /src/target/*-unknown-linux-gnu /files

FROM scratch AS fetcher
COPY --from=programs /files/full/ballast /ballast
COPY --from=programs /files/weights.lock /etc/ballast/weights.lock
COPY --from=programs /files/mirror /mirror
ARG MIRRORS=
ENV BALLAST_MIRRORS=$MIRRORS BALLAST_TOKENS_FILE=/run/secrets/tokens

# The classic builder knows no secrets and leaves TARGETOS empty; BuildKit sets it.
FROM fetcher AS fetcher-
ONBUILD RUN ["/ballast", "fetch", "--mirror", "/mirror", "--into", "/fetched"]

FROM fetcher AS fetcher-linux
ONBUILD RUN --mount=type=secret,id=tokens ["/ballast", "fetch", "--mirror", "/mirror", "--into", "/fetched"]

FROM fetcher-${TARGETOS} AS model-fetcher
RUN ["/ballast", "bake", "--from", "/fetched", "/opt/baked-models"]

FROM scratch
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="likeness" \
      org.opencontainers.image.description="Face verification on weights that Ballast verified" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
# Root's directories first: what COPY has to make, it gives to the owner of the file.
COPY --from=programs /files/root /
COPY --from=programs --chown=100:101 /files/app/cache /tmp/.deepface
COPY --from=programs --chown=100:101 /files/app/lib /var/lib/
COPY --from=model-fetcher --chown=100:101 /opt/baked-models/.deepface/weights/facenet512_weights.h5 /opt/baked-models/.deepface/weights/
COPY --from=model-fetcher --chown=100:101 /opt/baked-models/.deepface/weights/centerface.onnx /opt/baked-models/.deepface/weights/
COPY --from=model-fetcher --chown=100:101 /opt/baked-models/.deepface/weights/2.7_80x80_MiniFASNetV2.pth /opt/baked-models/.deepface/weights/
COPY --from=model-fetcher --chown=100:101 /opt/baked-models/.deepface/weights/4_0_0_80x80_MiniFASNetV1SE.pth /opt/baked-models/.deepface/weights/
COPY --from=model-fetcher /opt/baked-models/.ballast /opt/baked-models/.ballast
COPY --from=model-fetcher /etc/ballast/weights.lock /etc/ballast/weights.lock
COPY --from=programs /files/bin /usr/local/bin/
ENV PATH=/usr/local/bin
USER 100:101
EXPOSE 8001
HEALTHCHECK --interval=5s --timeout=5s --retries=2 CMD ["likeness", "probe"]
ENTRYPOINT ["/usr/local/bin/ballast", "run", "--"]
CMD ["likeness", "serve", "--host", "0.0.0.0"]
