"""Which third-party modules greening knows: a line for each plug-in that it brings along.

Each is one file in `greening/ext`, which is imported when its module is, and not before. docs/integrations has a page
for each.
"""

# The module whose import is waited for, and the function that is called with it.
INTEGRATIONS: tuple[tuple[str, str], ...] = (
    ("_pydev_bundle._pydev_saved_modules", "greening.ext.debugpy:native_primitives"),
    ("amqp.abstract_channel", "greening.ext.interrupted:amqp_channel"),
    ("amqp.connection", "greening.ext.interrupted:amqp_connection"),
    ("amqp.transport", "greening.ext.interrupted:amqp_transport"),
    ("cassandra.io.libevreactor", "greening.ext.cassandra:libev"),
    ("celery.backends.asynchronous", "greening.ext.celery_results:patch"),
    ("celery.backends.redis", "greening.ext.celery_results:patch_redis"),
    ("confluent_kafka.cimpl", "greening.ext.confluent_kafka:install"),
    ("coverage.collector", "greening.ext.coverage:follow_greenlets"),
    ("django.core.handlers.wsgi", "greening.ext.django:install_handler"),
    ("django.db", "greening.ext.django:install_database"),
    ("django.http.response", "greening.ext.django:install_response"),
    ("engineio.base_server", "greening.ext.engineio:install"),
    ("flask_socketio", "greening.ext.flask_socketio:install"),
    ("ftplib", "greening.ext.interrupted_stdlib:ftplib"),
    ("grpc._channel", "greening.ext.grpc:install_client"),
    ("grpc._common", "greening.ext.grpc:install_common"),
    ("grpc._cython.cygrpc", "greening.ext.grpc:install_core"),
    ("grpc._server", "greening.ext.grpc:install_server"),
    ("httpcore._sync.connection_pool", "greening.ext.interrupted:httpcore"),
    ("httpcore._synchronization", "greening.ext.interrupted:httpcore_lock"),
    ("imaplib", "greening.ext.interrupted_stdlib:imaplib"),
    ("ipykernel.heartbeat", "greening.ext.ipython:native_heartbeat"),
    ("kombu.transport.redis", "greening.ext.celery_transport:patch"),
    ("ldap3.strategy.base", "greening.ext.interrupted:ldap3"),
    ("memcache", "greening.ext.interrupted:memcache"),
    ("multiprocessing.managers", "greening.ext.interrupted_stdlib:managers"),
    ("mysql.connector.network", "greening.ext.interrupted:mysql_connector"),
    ("mysql.connector.pooling", "greening.ext.interrupted:mysql_pool"),
    ("MySQLdb.connections", "greening.ext.mysqldb:install"),
    ("MySQLdb.cursors", "greening.ext.mysqldb:install_cursors"),
    ("pg8000.core", "greening.ext.interrupted:pg8000"),
    ("poplib", "greening.ext.interrupted_stdlib:poplib"),
    ("psycopg.connection", "greening.ext.psycopg:install_cancel"),
    ("psycopg.waiting", "greening.ext.psycopg:install_waits"),
    ("psycopg2", "greening.ext.psycopg2:install"),
    ("psycopg_pool.pool", "greening.ext.psycopg:install_pool"),
    ("pydevd", "greening.ext.debugpy:stop_natively"),
    ("pymemcache.client.base", "greening.ext.interrupted:pymemcache_client"),
    ("pymemcache.pool", "greening.ext.interrupted:pymemcache_pool"),
    ("redis.sentinel", "greening.ext.interrupted:sentinel"),
    ("smtplib", "greening.ext.interrupted_stdlib:smtplib"),
    ("sqlite3", "greening.ext.sqlite3:install"),
    ("urllib3.connectionpool", "greening.ext.interrupted:urllib3"),
    ("valkey.sentinel", "greening.ext.interrupted:sentinel"),
    ("zmq", "greening.ext.zmq:install"),
)

# Flags of `monkey_patch` that stand for plug-ins, as in eventlet: the package whose plug-ins they switch.
DRIVERS = {"psycopg": "psycopg2", "MySQLdb": "MySQLdb"}

# What `greening.green` has for a module that waits in C, where a copy of its Python code would be of no use.
GREEN_MODULES = {"zmq": "greening.ext.green_zmq"}
