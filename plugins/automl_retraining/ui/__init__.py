"""The pages inside Airflow: an app below ``/automl`` that shows what the run folders hold, and keeps no database.

Imported in the api-server only. Reading happens in threads of the app's own, so that neither Airflow's event loop nor
its threads wait for AWS.
"""
