# An image that takes the place of registry:2, and caches every registry when told to (deploy/README.md).
#
#   docker build -t entrepot .
#
# With --build-arg PROGRAM=prebuilt it takes dist/entrepot.js as `npm run build` left it, and needs no network.

ARG NODE=node:26-alpine
ARG PROGRAM=built

FROM ${NODE} AS built
WORKDIR /src
COPY . .
RUN npm ci && npm run build

FROM scratch AS prebuilt
COPY dist/entrepot.js /src/dist/entrepot.js

FROM ${PROGRAM} AS program

FROM ${NODE} AS assembled
# Node alone is what the program needs.
RUN rm -rf /opt/yarn* /usr/local/include /usr/local/lib/node_modules /usr/local/share \
      /usr/local/bin/corepack /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/yarn /usr/local/bin/yarnpkg \
      /usr/local/bin/docker-entrypoint.sh \
 && mkdir -p /etc/docker/registry /etc/distribution /etc/entrepot /run/entrepot /var/lib/registry \
 && chmod 1777 /run/entrepot
COPY --from=program /src/dist/entrepot.js /usr/local/bin/entrepot
COPY deploy/image/entrypoint.sh /entrypoint.sh
COPY deploy/image/registry.yml /etc/docker/registry/config.yml
COPY deploy/image/registry.yml /etc/distribution/config.yml
COPY deploy/image/entrepot.yml /etc/entrepot/config.yml
COPY deploy/image/proxy.yml /etc/entrepot/proxy.yml
# By registry's name, too: commands in scripts stay as they are.
RUN chmod 755 /entrypoint.sh /usr/local/bin/entrepot && ln -s entrepot /usr/local/bin/registry

FROM scratch
COPY --from=assembled / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    ENTREPOT_ADMIN_SOCKET=/run/entrepot/admin.sock
VOLUME ["/var/lib/registry"]
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["entrepot", "health"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["/etc/docker/registry/config.yml"]
